//! Reads the modules, items, imports and paths of one Rust source file.
//!
//! It works on tokens instead of a syntax tree: paths inside macro calls count like any others, and
//! xtask needs no parser of the whole language.

use std::{collections::BTreeSet, path::PathBuf};

/// A module without its tests.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Names of the inline modules around it and its own; empty for the module that is the file.
    pub path: Vec<String>,
    /// Modules with files of their own.
    pub files: Vec<ChildFile>,
    /// Items defined directly in it.
    pub items: BTreeSet<String>,
    /// Its `use` declarations, one for each name.
    pub uses: Vec<Use>,
    /// Paths of two names or more outside `use`.
    pub paths: Vec<Path>,
    /// Identifiers outside `use`, without fields and methods.
    pub identifiers: BTreeSet<String>,
}

/// `mod name;`
#[derive(Debug)]
pub(crate) struct ChildFile {
    pub name: String,
    /// The file named by a `#[path]` attribute.
    pub elsewhere: Option<PathBuf>,
}

/// A path as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub names: Vec<String>,
    pub line: usize,
}

/// One name of a `use` declaration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub path: Path,
    /// The name that it brings into scope; `None` for `*`.
    pub name: Option<String>,
    /// Whether the declaration has a visibility, and so is a re-export.
    pub public: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Text(String),
    PathSeparator,
    Sign(char),
}

/// Reads a source file. The first module is the file itself, inline modules follow.
pub(crate) fn read(text: &str) -> Vec<Module> {
    let mut reader =
        Reader { tokens: lex(text), at: 0, modules: vec![Module::default()], open: vec![(0, 0)], depth: 0 };
    reader.run();
    reader.modules
}

/// Splits source text into tokens with their lines. Comments, numbers and lifetimes are dropped.
fn lex(text: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = text.chars().collect();
    let get = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let (start, first) = (at, get(at));
        let token = match first {
            '/' if get(at + 1) == '/' => {
                while at < chars.len() && get(at) != '\n' {
                    at += 1;
                }
                None
            }
            '/' if get(at + 1) == '*' => {
                at = end_of_block_comment(&chars, at);
                None
            }
            '"' => {
                at = end_of_string(&chars, at);
                let inside = chars.get(start + 1..at.saturating_sub(1)).unwrap_or_default();
                Some(Token::Text(inside.iter().collect()))
            }
            '\'' => {
                // a lifetime, unless a quote ends it
                if get(at + 1) == '\\' {
                    at += 3;
                    while at < chars.len() && get(at) != '\'' {
                        at += 1;
                    }
                    at += 1;
                } else if get(at + 2) == '\'' {
                    at += 3;
                } else {
                    at += 1;
                    while is_name(get(at)) {
                        at += 1;
                    }
                }
                None
            }
            ':' if get(at + 1) == ':' => {
                at += 2;
                Some(Token::PathSeparator)
            }
            first if first.is_numeric() => {
                while is_name(get(at)) {
                    at += 1;
                }
                None
            }
            first if is_name(first) => {
                while is_name(get(at)) {
                    at += 1;
                }
                let name: String = chars[start..at].iter().collect();
                let raw = matches!(name.as_str(), "r" | "br" | "cr");
                if raw && (get(at) == '"' || get(at) == '#' && matches!(get(at + 1), '"' | '#')) {
                    at = end_of_raw_string(&chars, at);
                    None
                } else if name == "r" && get(at) == '#' {
                    // a raw identifier: its name follows as a token of its own
                    at += 1;
                    None
                } else {
                    Some(Token::Name(name))
                }
            }
            first => {
                at += 1;
                (!first.is_whitespace()).then_some(Token::Sign(first))
            }
        };
        if let Some(token) = token {
            tokens.push((token, line));
        }
        at = at.min(chars.len());
        line += chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (at, depth) = (at + 2, depth + 1),
            ('*', Some('/')) => (at, depth) = (at + 2, depth.saturating_sub(1)),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `start` is behind the `r`.
fn end_of_raw_string(chars: &[char], start: usize) -> usize {
    let hashes = chars[start..].iter().take_while(|c| **c == '#').count();
    let mut at = start + hashes + 1;
    while at < chars.len() {
        let closing = chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count();
        if chars[at] == '"' && closing == hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    at
}

struct Reader {
    tokens: Vec<(Token, usize)>,
    at: usize,
    modules: Vec<Module>,
    /// Open modules: index, and depth of brackets inside.
    open: Vec<(usize, usize)>,
    depth: usize,
}

impl Reader {
    fn sign(&self, at: usize) -> Option<char> {
        match self.tokens.get(at) {
            Some((Token::Sign(sign), _)) => Some(*sign),
            _ => None,
        }
    }

    fn name(&self, at: usize) -> Option<&str> {
        match self.tokens.get(at) {
            Some((Token::Name(name), _)) => Some(name),
            _ => None,
        }
    }

    fn is_separator(&self, at: usize) -> bool {
        matches!(self.tokens.get(at), Some((Token::PathSeparator, _)))
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |(_, line)| *line)
    }

    /// Index of the innermost open module, and the depth inside it.
    fn innermost(&self) -> (usize, usize) {
        self.open.last().copied().unwrap_or_default()
    }

    fn module(&mut self) -> &mut Module {
        let (index, _) = self.innermost();
        &mut self.modules[index]
    }

    fn run(&mut self) {
        let mut attributes = Attributes::default();
        // since the last attribute, visibility or item
        let mut public = false;
        while self.at < self.tokens.len() {
            if self.sign(self.at) == Some('#') {
                if attributes.read_attribute(self) {
                    // `#![cfg(test)]` is a file for tests alone
                    self.modules = vec![Module::default()];
                    return;
                }
                if attributes.test {
                    self.skip_item();
                    attributes = Attributes::default();
                }
                continue;
            }
            let Some(name) = self.name(self.at).map(str::to_owned) else {
                self.bracket();
                (attributes, public) = (Attributes::default(), false);
                self.at += 1;
                continue;
            };
            match name.as_str() {
                "pub" => {
                    public = true;
                    self.at += 1;
                    if self.sign(self.at) == Some('(') {
                        while self.at < self.tokens.len() && self.sign(self.at) != Some(')') {
                            self.at += 1;
                        }
                        self.at += 1;
                    }
                    continue;
                }
                // `use<'a>` captures, it imports nothing
                "use" if self.sign(self.at + 1) != Some('<') => {
                    self.at += 1;
                    self.use_tree(&[], public);
                }
                "mod" if self.name(self.at + 1).is_some() => self.open_module(attributes.path.take()),
                _ => self.other_name(&name),
            }
            (attributes, public) = (Attributes::default(), false);
        }
    }

    fn bracket(&mut self) {
        match self.sign(self.at) {
            Some('{' | '(' | '[') => self.depth += 1,
            Some('}' | ')' | ']') => {
                self.depth = self.depth.saturating_sub(1);
                if self.open.len() > 1 && self.depth < self.innermost().1 {
                    self.open.pop();
                }
            }
            _ => {}
        }
    }

    /// At `mod name`.
    fn open_module(&mut self, elsewhere: Option<PathBuf>) {
        let Some(name) = self.name(self.at + 1).map(str::to_owned) else { return };
        self.at += 2;
        match self.sign(self.at) {
            Some(';') => self.module().files.push(ChildFile { name, elsewhere }),
            Some('{') => {
                self.depth += 1;
                let mut path = self.module().path.clone();
                path.push(name);
                self.open.push((self.modules.len(), self.depth));
                self.modules.push(Module { path, ..Module::default() });
            }
            _ => return,
        }
        self.at += 1;
    }

    /// At any other name: reads a path, and notes the item that it may define.
    fn other_name(&mut self, name: &str) {
        let outermost = self.depth == self.innermost().1;
        let keyword = ["fn", "struct", "enum", "union", "trait", "type", "const", "static"].contains(&name);
        if outermost && keyword {
            let named = if self.name(self.at + 1) == Some("mut") { self.at + 2 } else { self.at + 1 };
            if let Some(item) = self.name(named).filter(|item| *item != "fn").map(str::to_owned) {
                self.module().items.insert(item);
            }
        }
        if outermost
            && name == "macro_rules"
            && let Some(item) = self.name(self.at + 2).map(str::to_owned)
        {
            self.module().items.insert(item);
        }
        let field = self.at.checked_sub(1).is_some_and(|before| {
            self.sign(before) == Some('.')
                && before.checked_sub(1).is_none_or(|two| self.sign(two) != Some('.'))
        });
        let (line, mut names) = (self.line(), vec![name.to_owned()]);
        self.at += 1;
        while self.is_separator(self.at) {
            let Some(next) = self.name(self.at + 1) else { break };
            names.push(next.to_owned());
            self.at += 2;
        }
        let module = self.module();
        // a field or method is no name of this module
        if !field {
            module.identifiers.insert(name.to_owned());
        }
        if names.len() > 1 {
            module.paths.push(Path { names, line });
        }
    }

    /// Reads one tree of a `use` declaration.
    fn use_tree(&mut self, prefix: &[String], public: bool) {
        let mut names = prefix.to_vec();
        let line = self.line();
        if self.is_separator(self.at) {
            self.at += 1;
        }
        while self.at < self.tokens.len() {
            if let Some(name) = self.name(self.at).map(str::to_owned) {
                self.at += 1;
                // `{self}` is the module in front of the braces
                if name != "self" || names.is_empty() {
                    names.push(name);
                }
                if self.is_separator(self.at) {
                    self.at += 1;
                    continue;
                }
                let mut known_as = names.last().cloned();
                if self.name(self.at) == Some("as") {
                    known_as = self.name(self.at + 1).map(str::to_owned);
                    self.at += 2;
                }
                let path = Path { names, line };
                self.module().uses.push(Use { path, name: known_as, public });
                return;
            }
            match self.sign(self.at) {
                Some('*') => {
                    self.at += 1;
                    self.module().uses.push(Use { path: Path { names, line }, name: None, public });
                    return;
                }
                Some('{') => {
                    self.at += 1;
                    while self.at < self.tokens.len() && self.sign(self.at) != Some('}') {
                        let before = self.at;
                        if self.sign(self.at) == Some(',') {
                            self.at += 1;
                        } else {
                            self.use_tree(&names, public);
                        }
                        // skips unreadable tokens, such as `$name` in a macro
                        self.at = self.at.max(before + 1);
                    }
                    self.at += 1;
                    return;
                }
                _ => return,
            }
        }
    }

    /// Skips an item, field, variant or statement that exists in tests only.
    fn skip_item(&mut self) {
        let mut more = Attributes::default();
        while self.sign(self.at) == Some('#') {
            more.read_attribute(self);
        }
        // a comma ends a field or a variant, but may be part of an item
        const ITEMS: [&str; 16] = [
            "pub", "use", "mod", "fn", "struct", "enum", "union", "trait", "type", "const", "static", "impl",
            "async", "unsafe", "extern", "let",
        ];
        let item = self.name(self.at).is_some_and(|name| ITEMS.contains(&name));
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.sign(self.at) {
                Some('{' | '(' | '[') => depth += 1,
                Some('}' | ')' | ']') if depth == 0 => return,
                Some(closing @ ('}' | ')' | ']')) => {
                    depth -= 1;
                    if depth == 0 && closing == '}' {
                        self.at += 1;
                        return;
                    }
                }
                Some(';') if depth == 0 => {
                    self.at += 1;
                    return;
                }
                Some(',') if depth == 0 && !item => {
                    self.at += 1;
                    return;
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}

#[derive(Default)]
struct Attributes {
    test: bool,
    path: Option<PathBuf>,
}

impl Attributes {
    /// At a `#`: reads one attribute. Returns whether it makes the whole file a test.
    fn read_attribute(&mut self, reader: &mut Reader) -> bool {
        reader.at += 1;
        let inner = reader.sign(reader.at) == Some('!');
        if inner {
            reader.at += 1;
        }
        if reader.sign(reader.at) != Some('[') {
            return false;
        }
        let (start, mut depth) = (reader.at + 1, 0_usize);
        while reader.at < reader.tokens.len() {
            match reader.sign(reader.at) {
                Some('[' | '(' | '{') => depth += 1,
                Some(']' | ')' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            reader.at += 1;
            if depth == 0 {
                break;
            }
        }
        let tokens = reader.tokens.get(start..reader.at).unwrap_or_default();
        let names: Vec<&str> = tokens
            .iter()
            .filter_map(|(token, _)| if let Token::Name(name) = token { Some(name.as_str()) } else { None })
            .collect();
        let test = match names.as_slice() {
            ["test"] => true,
            ["cfg", conditions @ ..] => {
                // code under `any(test, …)` or `not(test)` may be part of the product
                conditions.contains(&"test") && !conditions.contains(&"not") && !conditions.contains(&"any")
            }
            // `#[tokio::test]` and the like
            [_, "test", ..] => true,
            _ => false,
        };
        if names.first() == Some(&"path") {
            self.path = tokens.iter().find_map(|(token, _)| match token {
                Token::Text(text) => Some(PathBuf::from(text)),
                _ => None,
            });
        }
        if inner {
            return test;
        }
        self.test |= test;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path) -> String {
        path.names.join("::")
    }

    fn only(text: &str) -> Module {
        read(text).into_iter().next().unwrap_or_default()
    }

    #[test]
    fn nested_use_groups_are_read_with_their_names() {
        let module = only(
            "use crate::{a::{self, B as C, d::*}, e};\npub(crate) use super::F;\nuse ::g::H as _;\nuse self::i::J;",
        );
        let uses: Vec<String> = module
            .uses
            .iter()
            .map(|one| {
                let name = one.name.as_deref().unwrap_or("*");
                format!("{} {name} {} {}", names(&one.path), one.public, one.path.line)
            })
            .collect();
        let expected = [
            "crate::a a false 1",
            "crate::a::B C false 1",
            "crate::a::d * false 1",
            "crate::e e false 1",
            "super::F F true 2",
            "g::H _ false 3",
            "self::i::J J false 4",
        ];
        assert_eq!(uses, expected);
    }

    #[test]
    fn items_are_those_of_the_module_itself() {
        let module = only(
            "pub const A: u8 = 1; static mut B: u8 = 2; const fn c() { struct Inner; }\n\
             pub(in crate::x) struct D { e: u8 } impl D { fn method() {} } macro_rules! f { () => {} }\n\
             mod inline { pub struct G; } type H = u8; unsafe extern \"C\" fn i() {} union J { k: u8 }",
        );
        let expected = ["A", "B", "D", "H", "J", "c", "f", "i"];
        assert_eq!(module.items.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        assert!(module.paths.is_empty(), "visibility is no import: {:?}", module.paths);
    }

    #[test]
    fn paths_are_read_everywhere_but_in_comments_texts_and_tests() {
        let module = only(
            r##"
            // crate::comment::A
            /* crate::comment /* nested */ ::B */
            fn f<'a>(x: &'a crate::ty::C) -> char { vec![super::d::e(), b::<u8>()]; '"' ; '\'' ; 'x' }
            const T: &str = "crate::text::F \" crate::g"; const R: &str = r#"crate::raw::H " "#; r"\";
            #[cfg(test)] mod tests { use crate::i; fn x() { crate::j::k() } }
            #[cfg(test)] use crate::l;
            #[cfg(all(test, unix))] #[allow(unused)] fn m<A, B>() -> [u8; 2] { crate::n::o() }
            struct S { #[cfg(test)] p: crate::q::R, s: crate::t::U }
            #[test] fn v() { crate::w::x() }
            #[tokio::test] async fn v() { crate::w::x() }
            #[cfg(not(test))] fn y() { $crate::z::a() }
            "##,
        );
        let paths: Vec<String> = module.paths.iter().map(names).collect();
        assert_eq!(paths, ["crate::ty::C", "super::d::e", "crate::t::U", "crate::z::a"]);
        assert!(module.uses.is_empty(), "{:?}", module.uses);
        assert_eq!(module.paths[0].line, 4);
    }

    #[test]
    fn modules_are_files_or_inline() {
        let modules = read(
            "mod a; #[path = \"other.rs\"] pub mod b;\n\
             mod c { use super::D; mod e { fn f() { super::super::g::h() } } }\n\
             #[cfg(test)] mod tests; fn after() { i::j() }",
        );
        let paths: Vec<String> = modules.iter().map(|module| module.path.join("::")).collect();
        assert_eq!(paths, ["", "c", "c::e"]);
        let files: Vec<_> =
            modules[0].files.iter().map(|file| (file.name.as_str(), file.elsewhere.clone())).collect();
        assert_eq!(files, [("a", None), ("b", Some(PathBuf::from("other.rs")))]);
        assert_eq!(names(&modules[1].uses[0].path), "super::D");
        assert_eq!(names(&modules[2].paths[0]), "super::super::g::h");
        assert_eq!(names(&modules[0].paths[0]), "i::j");
        assert!(modules[0].items.contains("after"));
    }

    #[test]
    fn a_file_of_tests_has_nothing() {
        let modules = read("#![allow(x)]\n#![cfg(test)]\nuse crate::a::B; struct C;");
        assert!(modules.len() == 1 && modules[0].uses.is_empty() && modules[0].items.is_empty());
    }
}
