//! Writes a module anew, section by section: most as they are, with two globals and their exports
//! added, and the start function exported instead of started.
use super::{PassError, Passed, emit::Globals, meter::STACK_SLOTS_MAX};
use std::collections::BTreeSet;
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, GlobalSection, GlobalType, Module,
    RawSection, SectionId, ValType,
    reencode::{Reencode, RoundtripReencoder},
};
use wasmparser::{Payload, TypeRef};

/// What the added exports are called, where the module has no such names itself.
const FUEL_NAME: &str = "dugnad-1 fuel";
const STACK_NAME: &str = "dugnad-1 stack";
const START_NAME: &str = "dugnad-1 start";

/// A module being written.
#[derive(Default)]
pub struct Rewriter {
    out: Module,
    /// Globals so far, imported ones first.
    module_globals: u32,
    globals_done: bool,
    exports_done: bool,
    exports: ExportSection,
    names: BTreeSet<String>,
    passed: Passed,
}

/// The order of the sections, whatever their numbers; custom ones stand anywhere.
fn rank(id: u8) -> Option<usize> {
    const ORDER: [SectionId; 13] = [
        SectionId::Type,
        SectionId::Import,
        SectionId::Function,
        SectionId::Table,
        SectionId::Memory,
        SectionId::Tag,
        SectionId::Global,
        SectionId::Export,
        SectionId::Start,
        SectionId::Element,
        SectionId::DataCount,
        SectionId::Code,
        SectionId::Data,
    ];
    ORDER.iter().position(|section| *section as u8 == id)
}

impl Rewriter {
    /// The globals that are added; known once the module's own are.
    pub fn globals(&self) -> Globals {
        Globals { fuel: self.module_globals, stack: self.module_globals + 1 }
    }

    /// Takes over a section of the module, which is not its code.
    pub fn section(&mut self, payload: &Payload<'_>, module: &[u8]) -> Result<(), PassError> {
        let Some((id, range)) = payload.as_section() else { return Ok(()) };
        match payload {
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let is_global = matches!(import?.ty, TypeRef::Global(_));
                    self.module_globals += u32::from(is_global);
                }
            }
            Payload::GlobalSection(section) => {
                let mut globals = GlobalSection::new();
                RoundtripReencoder.parse_global_section(&mut globals, section.clone())?;
                self.module_globals += globals.len();
                self.add_globals(globals);
                return Ok(());
            }
            Payload::ExportSection(section) => {
                self.fill_in(rank(id));
                for export in section.clone() {
                    let export = export?;
                    self.names.insert(export.name.to_owned());
                }
                let exports = &mut self.exports;
                RoundtripReencoder.parse_export_section(exports, section.clone())?;
                return Ok(());
            }
            Payload::StartSection { func, .. } => {
                let name = self.export(START_NAME, ExportKind::Func, *func);
                self.passed.start = Some(name);
                return Ok(());
            }
            _ => {}
        }
        self.fill_in(rank(id));
        self.out.section(&RawSection { id, data: &module[range] });
        Ok(())
    }

    /// The module's code after the pass.
    pub fn code(&mut self, code: &CodeSection) {
        self.fill_in(rank(SectionId::Code as u8));
        self.out.section(code);
    }

    /// The module, and what was added.
    pub fn finish(mut self) -> Passed {
        self.fill_in(Some(usize::MAX));
        Passed { module: self.out.finish(), ..self.passed }
    }

    /// Writes what must stand before a section of this rank.
    fn fill_in(&mut self, next: Option<usize>) {
        if next > rank(SectionId::Global as u8) && !self.globals_done {
            self.add_globals(GlobalSection::new());
        }
        if next > rank(SectionId::Start as u8) && !self.exports_done {
            self.exports_done = true;
            let Globals { fuel, stack } = self.globals();
            self.passed.fuel = self.export(FUEL_NAME, ExportKind::Global, fuel);
            self.passed.stack = self.export(STACK_NAME, ExportKind::Global, stack);
            self.out.section(&self.exports);
        }
    }

    fn add_globals(&mut self, mut globals: GlobalSection) {
        let ty = |val_type| GlobalType { val_type, mutable: true, shared: false };
        globals.global(ty(ValType::I64), &ConstExpr::i64_const(0));
        globals.global(ty(ValType::I32), &ConstExpr::i32_const(STACK_SLOTS_MAX));
        self.out.section(&globals);
        self.globals_done = true;
    }

    /// Exports something under this name, or where the module has it, under one like it.
    fn export(&mut self, name: &str, kind: ExportKind, index: u32) -> String {
        let mut name = name.to_owned();
        while !self.names.insert(name.clone()) {
            name.push('\'');
        }
        self.exports.export(&name, kind, index);
        name
    }
}
