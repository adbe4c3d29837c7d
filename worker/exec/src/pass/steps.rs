//! A function's operators as the pass sees them; it is validated on the way.
use super::classes::{Use, use_of};
use wasmparser::{
    BinaryReaderError, FuncValidator, FunctionBody, Operator as Op, ValidatorResources,
    WasmModuleResources,
};

/// One operator.
pub struct Step {
    /// What it does with float values.
    pub used: Use,
    /// Values it takes.
    pub pops: usize,
    /// The height of the stack after it.
    pub height: usize,
    /// Whether it is never reached.
    pub dead: bool,
    /// Whether it may lead to the next.
    pub falls: bool,
    /// Where it leads.
    pub flow: Flow,
}

/// Where an operator leads, for metering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// To the next operator, at this cost.
    Straight(u64),
    /// Into a loop; whether anything leads back to its head.
    Loop { again: bool },
    /// To one of two places, or to a place that others lead to as well; the cost is its own.
    Fork(u64),
    /// Elsewhere, or perhaps so; whether out of the function.
    Jump { leaves: bool },
    /// Out of the function.
    Leave,
    /// Out of the function and into another.
    TailCall,
    /// To another function and back.
    Call,
    /// To a trap.
    Trap,
    /// To the next operator, after work in proportion to the number on top of the stack.
    Bulk(Bulk),
}

/// What is moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bulk {
    Bytes,
    Elements,
}

/// A function's operators, and what it is made of.
pub struct Steps {
    pub steps: Vec<Step>,
    /// From which operator to which it leads otherwise than from one to the next.
    pub links: Vec<(usize, usize)>,
    /// Locals, parameters among them.
    pub locals: u32,
    pub parameters: u32,
    /// The most values on its stack.
    pub height_max: usize,
    /// The most targets of one of its branch tables.
    pub targets_max: u64,
}

/// An open block.
#[derive(Default)]
struct Frame {
    is_if: bool,
    /// Where it begins, if it is a loop.
    head: Option<usize>,
    /// The operators that lead to its label; of an `if`, first the one that closes the other arm.
    from: Vec<usize>,
}

/// Reads a function.
pub fn steps(
    function: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'_>,
) -> Result<Steps, BinaryReaderError> {
    let mut reader = body.get_binary_reader();
    function.read_locals(&mut reader)?;
    let (mut steps, mut height_max, mut targets_max) = (Vec::new(), 0, 0);
    let (mut frames, mut links) = (vec![Frame::default()], Vec::new());
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        if let Op::BrTable { targets } = &operator {
            targets_max = targets_max.max(targets.len().into());
        }
        let dead = function.get_control_frame(0).is_none_or(|frame| frame.unreachable);
        let arity = operator.operator_arity(&*function).unwrap_or_default();
        function.op(offset, &operator)?;
        let height = function.operand_stack_height() as usize;
        height_max = height_max.max(height);
        // What an `else` or `end` closes may be dead, what follows is not.
        let dead = dead && !matches!(operator, Op::Else | Op::End);
        let flow = flow(&operator, &mut frames, &mut steps, &mut links);
        let stays = function.get_control_frame(0).is_some_and(|frame| !frame.unreachable);
        let falls = !dead && stays && !matches!(operator, Op::Else);
        let (used, pops) = (use_of(&operator), arity.0 as usize);
        steps.push(Step { used, pops, height, dead, falls, flow });
    }
    operators.finish()?;
    let (locals, parameters) = (function.len_locals(), parameters(function));
    Ok(Steps { steps, links, locals, parameters, height_max, targets_max })
}

/// How many of its locals are parameters.
fn parameters(function: &FuncValidator<ValidatorResources>) -> u32 {
    let resources = function.resources();
    let signature = resources.type_index_of_function(function.index());
    let signature = signature.and_then(|index| resources.sub_type_at(index));
    signature.map_or(u32::MAX, |signature| signature.unwrap_func().params().len() as u32)
}

fn flow(
    operator: &Op<'_>,
    frames: &mut Vec<Frame>,
    before: &mut [Step],
    links: &mut Vec<(usize, usize)>,
) -> Flow {
    let at = before.len();
    match operator {
        Op::Block { .. } | Op::Loop { .. } | Op::If { .. } => {
            let (is_if, is_loop) =
                (matches!(operator, Op::If { .. }), matches!(operator, Op::Loop { .. }));
            let head = is_loop.then_some(at);
            frames.push(Frame { is_if, head, from: is_if.then_some(at).into_iter().collect() });
            match (is_if, is_loop) {
                (true, _) => Flow::Fork(1),
                (_, true) => Flow::Loop { again: false },
                _ => Flow::Straight(0),
            }
        }
        Op::Else => {
            if let Some(first) = frames.last_mut().and_then(|frame| frame.from.first_mut()) {
                links.push((core::mem::replace(first, at), at + 1));
            }
            Flow::Fork(0)
        }
        Op::End => {
            let Some(frame) = frames.pop() else { return Flow::Straight(0) };
            let targeted = !frame.from.is_empty();
            if let Some(head) = frame.head {
                before[head].flow = Flow::Loop { again: targeted };
            }
            links.extend(frame.from.iter().map(|from| (*from, frame.head.unwrap_or(at))));
            let joins = frame.is_if || targeted && frame.head.is_none();
            match (frames.is_empty(), joins) {
                (true, _) => Flow::Leave,
                (false, true) => Flow::Fork(0),
                (false, false) => Flow::Straight(0),
            }
        }
        Op::Br { relative_depth } | Op::BrIf { relative_depth } => {
            Flow::Jump { leaves: branch(frames, *relative_depth, at) }
        }
        Op::BrTable { targets } => {
            let targets = targets.targets().flatten().chain([targets.default()]);
            let leaves = targets.fold(false, |leaves, depth| branch(frames, depth, at) | leaves);
            Flow::Jump { leaves }
        }
        Op::Return => Flow::Leave,
        Op::ReturnCall { .. } | Op::ReturnCallIndirect { .. } => Flow::TailCall,
        Op::Call { .. } | Op::CallIndirect { .. } => Flow::Call,
        Op::Unreachable => Flow::Trap,
        Op::MemoryCopy { .. } | Op::MemoryFill { .. } | Op::MemoryInit { .. } => {
            Flow::Bulk(Bulk::Bytes)
        }
        Op::TableCopy { .. } | Op::TableFill { .. } | Op::TableInit { .. } => {
            Flow::Bulk(Bulk::Elements)
        }
        Op::TableGrow { .. } => Flow::Bulk(Bulk::Elements),
        Op::Nop | Op::Drop => Flow::Straight(0),
        _ => Flow::Straight(1),
    }
}

/// Notes a branch to a label; answers whether that is the function's own.
fn branch(frames: &mut [Frame], depth: u32, from: usize) -> bool {
    let label = frames.len().checked_sub(1 + depth as usize);
    if let Some(frame) = label.and_then(|label| frames.get_mut(label)) {
        frame.from.push(from);
    }
    label == Some(0)
}
