//! `#[dugnad_guest::unit]`: a plain function becomes the unit of a task program.
//!
//! Invariant: the function itself stays as it was written, so tests call it natively.
//!
//! What it is not: a parser of Rust. It reads the function's name and hands everything else on; what
//! is wrong with the types the compiler says, at the function.
use proc_macro::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};

/// Makes `fn(In) -> Result<Out, E>` the program: a unit's standard input becomes `In`, `Out` its standard
/// output, and an `E` exit code 1 with its words on standard error.
///
/// | attribute | input and output |
/// |---|---|
/// | `#[dugnad_guest::unit]` | JSON, by serde; the number of a unit is one, too, and so is a parameter grid's object |
/// | `#[dugnad_guest::unit(postcard)]` | postcard, by serde: smaller and faster for long lists of numbers |
/// | `#[dugnad_guest::unit(bytes)]` | `Vec<u8>` as they are |
#[proc_macro_attribute]
pub fn unit(form: TokenStream, function: TokenStream) -> TokenStream {
    let run = match form.to_string().as_str() {
        "" | "json" => "run_json",
        "postcard" => "run",
        "bytes" => "run_bytes",
        other => {
            let said =
                format!("{other:?} is no form of a unit; there are json, postcard and bytes");
            return error(&said, form);
        }
    };
    let Some(name) = name_of(&function) else {
        return error("#[unit] belongs on a function that takes one value", function);
    };
    let mut program = function;
    program.extend(program_of(run, name));
    program
}

/// The word after `fn`; what is in brackets or parentheses is passed over.
fn name_of(function: &TokenStream) -> Option<Ident> {
    let mut tokens = function.clone().into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    match tokens.next()? {
        TokenTree::Ident(name) => Some(name),
        TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    }
}

/// `::dugnad_guest::command!(::dugnad_guest::RUN(NAME));`
fn program_of(run: &str, name: Ident) -> TokenStream {
    let span = name.span();
    let called = Group::new(Delimiter::Parenthesis, TokenTree::Ident(name).into());
    let mut inner = path(run, span);
    inner.extend([TokenTree::Group(called)]);
    let mut program = path("command", span);
    program.extend([
        punct('!', Spacing::Alone),
        TokenTree::Group(Group::new(Delimiter::Parenthesis, inner)),
        punct(';', Spacing::Alone),
    ]);
    program
}

/// `::dugnad_guest::WORD`
fn path(word: &str, span: Span) -> TokenStream {
    let colons = || [punct(':', Spacing::Joint), punct(':', Spacing::Alone)];
    let named = |word| TokenTree::Ident(Ident::new(word, span));
    let crate_name = [named("dugnad_guest")];
    colons().into_iter().chain(crate_name).chain(colons()).chain([named(word)]).collect()
}

fn punct(sign: char, spacing: Spacing) -> TokenTree {
    TokenTree::Punct(Punct::new(sign, spacing))
}

/// `compile_error!(SAID);`, beside what was there.
fn error(said: &str, rest: TokenStream) -> TokenStream {
    let mut error: TokenStream = format!("compile_error!({said:?});").parse().unwrap_or_default();
    error.extend(rest);
    error
}
