//! Reads the imports of a crate from its source: `use` lines, and paths in the code that begin with
//! `crate`, `self` or `super`. Comments, texts and items for tests or documentation do not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Arrow;

/// The files of a crate and what they import.
#[derive(Debug)]
pub(crate) struct Sources {
    /// By module, as its path in the crate.
    modules: BTreeMap<Vec<String>, Module>,
}

#[derive(Debug)]
struct Module {
    file: String,
    /// Every path that is imported, with the name that it gets here.
    uses: Vec<(String, Vec<String>)>,
    /// Those names that the file only passes on by `pub use`, and does not use itself.
    passed_on: BTreeSet<String>,
    /// Paths in the code.
    paths: Vec<Vec<String>>,
}

impl Sources {
    pub(crate) fn new(files: &[(String, String)]) -> Self {
        let modules = files.iter().map(|(file, text)| {
            let mut module: Vec<_> =
                file.trim_end_matches(".rs").split('/').map(str::to_string).collect();
            if module.last().is_some_and(|last| last == "mod" || last == "lib") {
                module.pop();
            }
            (module, Module::read(file, &without_tests(&code(text))))
        });
        Self { modules: modules.collect() }
    }

    /// Who imports whom, by files. A name that a file only passes on is followed to the file that
    /// defines it.
    pub(crate) fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (name, module) in &self.modules {
            let uses = module.uses.iter().filter(|(known, _)| !module.passed_on.contains(known));
            for path in uses.map(|(_, path)| path).chain(&module.paths) {
                if let Some(to) = self.resolve(name, path, 0)
                    && to != module.file
                {
                    arrows.insert((module.file.clone(), to.to_string()));
                }
            }
        }
        arrows
    }

    /// The file in which a path ends that is written in this module. `None` for other crates.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<&str> {
        assert!(depth < 20, "{path:?} in {module:?} leads to itself");
        let child = [module, &path[..1]].concat();
        let (mut at, mut rest) = match path[0].as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (module.to_vec(), &path[1..]),
            "super" => (module.split_last()?.1.to_vec(), &path[1..]),
            _ if self.modules.contains_key(&child) => (module.to_vec(), path),
            _ => return None,
        };
        while let Some((next, behind)) = rest.split_first() {
            if next == "super" {
                at.pop();
            } else if next != "self" {
                at.push(next.clone());
                if !self.modules.contains_key(&at) {
                    at.pop();
                    break;
                }
            }
            rest = behind;
        }
        let found = &self.modules[&at];
        match found.uses.iter().find(|(known, _)| Some(known) == rest.first()) {
            Some((_, path)) => self.resolve(&at, path, depth + 1),
            None => Some(&found.file),
        }
    }
}

impl Module {
    fn read(file: &str, code: &str) -> Self {
        let mut uses = Vec::new();
        let mut passed_on = BTreeSet::new();
        let mut paths = Vec::new();
        let mut words = BTreeSet::new();
        let mut rest = code;
        while let Some((path, behind)) = next_path(rest) {
            rest = behind;
            if path == ["use"] && !rest.starts_with('<') {
                let (tree, behind) = rest.split_once(';').unwrap_or((rest, ""));
                let before = code[..code.len() - rest.len() - "use".len()].trim_end();
                let first = uses.len();
                expand(&[], tree, &mut uses);
                if before.ends_with("pub") || before.ends_with(')') {
                    passed_on.extend(uses[first..].iter().map(|(name, _)| name.clone()));
                }
                rest = behind;
            } else if ["crate", "self", "super"].contains(&path[0].as_str()) && path.len() > 1 {
                paths.push(path);
            } else {
                words.insert(path[0].clone());
            }
        }
        passed_on.retain(|name| !words.contains(name));
        Self { file: file.to_string(), uses, passed_on, paths }
    }
}

/// The next name or path in the code, and what comes after it.
fn next_path(code: &str) -> Option<(Vec<String>, &str)> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = &code[code.find(is_name)?..];
    let mut path = Vec::new();
    loop {
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        path.push(rest[..end].to_string());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(more) if more.starts_with(is_name) => rest = more,
            _ => return Some((path, rest)),
        }
    }
}

/// The paths of a `use`, each with the name that it gets.
fn expand(before: &[String], tree: &str, uses: &mut Vec<(String, Vec<String>)>) {
    let tree = tree.trim();
    if let Some((path, group)) = tree.split_once('{') {
        let before = [before, &segments(path)].concat();
        let group = group.trim_end().strip_suffix('}').expect("a group ends");
        let mut depth = 0;
        let parts = group.split(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        });
        for part in parts.filter(|part| !part.trim().is_empty()) {
            expand(&before, part, uses);
        }
        return;
    }
    let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
    let mut path = [before, &segments(path)].concat();
    if path.len() > 1 && path.last().is_some_and(|last| last == "self" || last == "*") {
        path.pop();
    }
    let name =
        if alias.is_empty() { path.last().unwrap().clone() } else { alias.trim().to_string() };
    uses.push((name, path));
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_string).collect()
}

/// The source without comments, without what stands in quotes, and without `$crate`, which macros use
/// for the crates that call them.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("$crate") {
            "$crate".len()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            let hashes = rest[1..].find(|c| c != '#').unwrap_or(0);
            let end = format!("\"{}", "#".repeat(hashes));
            match rest[1 + hashes..].strip_prefix('"').and_then(|text| text.find(&end)) {
                Some(length) => 1 + hashes + 1 + length + end.len(),
                None => 1,
            }
        } else if first == '"' {
            1 + quoted(&rest[1..], '"')
        } else if first == '\''
            && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\''))
        {
            1 + quoted(&rest[1..], '\'')
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

/// The length of a text with its closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (index, c) in text.char_indices() {
        if c == quote && !is_escaped {
            return index + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

/// The code without the items that exist only in tests or in the documentation.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = ["#[cfg(test)]", "#[cfg(doc)]"].iter().filter_map(|it| rest.find(it)).min()
    {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut depth = 0;
        let end = rest.char_indices().find(|(index, c)| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            depth == 0 && (*c == ';' || (*c == '}' && *index > 0))
        });
        rest = end.map_or("", |(index, _)| &rest[index + 1..]);
    }
    kept.push_str(rest);
    kept
}
