//! Checks that every test and link that the documentation names exists.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

use std::fs;
use std::path::Path;

const DOCUMENTS: [&str; 4] =
    ["docs/security.md", "docs/lessons.md", "docs/testing.md", "SECURITY.md"];

/// A test is cited by its file and function, as `tests/tests/documents.rs::the_name`, and a wire
/// vector by its file and name, as `tests/vectors/ping.json::the-name`.
#[test]
fn every_cited_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut named = 0;
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root.join(document)).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let Some((file, name)) = quoted.split_once("::") else { continue };
            let is_vector = file.ends_with(".json");
            if !is_vector && !file.ends_with(".rs") {
                continue;
            }
            named += 1;
            let source = fs::read_to_string(root.join(file)).unwrap_or_default();
            let exists = if is_vector {
                source.contains(&format!("\"name\":\"{name}\""))
            } else {
                [format!("fn {name}("), format!("fn {name}<")].iter().any(|f| source.contains(f))
            };
            if !exists {
                missing.push(format!("{document}: {quoted}"));
            }
        }
    }
    assert!(missing.is_empty(), "named and not there: {missing:#?}");
    assert!(named > 100, "they name their tests: {named}");
}

/// Links between documents, and to files of the repository, have existing targets.
#[test]
fn every_link_has_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for document in DOCUMENTS {
        let path = root.join(document);
        let text = fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") {
                let linked = path.parent().unwrap().join(file);
                assert!(linked.exists(), "{document} links to {target}");
            }
        }
    }
}

/// `tests/examples.sh` runs the README's programs against other implementations. This test checks
/// that those examples contain the README's blocks, line by line.
#[test]
fn the_examples_contain_the_programs_of_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let trimmed = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let readme = read("README.md");
    let blocks: Vec<_> = readme.split("```").skip(1).step_by(2).collect();
    for (start, example) in [
        ("use tidegate_core::event_loop", "core/examples/readme_loop.rs"),
        ("# async fn example(stream:", "adapter-tokio/examples/readme_echo.rs"),
    ] {
        let is_it =
            |block: &&&str| block.lines().nth(1).is_some_and(|line| line.starts_with(start));
        let block = blocks.iter().find(is_it).unwrap();
        let shown: Vec<_> = block.lines().skip(1).filter(|line| !line.starts_with("# ")).collect();
        assert!(shown.len() >= 8, "{shown:?}");
        let is_run = trimmed(&read(example)).contains(&trimmed(&shown.join("\n")));
        assert!(is_run, "{example} has not what README.md shows:\n{}", shown.join("\n"));
    }
}

/// Each row of a table with a column "shown by" names a test, or has a dash where no test is
/// possible.
#[test]
fn every_claim_about_security_names_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let mut is_claim = false;
    let (mut claims, mut without) = (0, Vec::new());
    for line in text.lines() {
        let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) else {
            is_claim &= line.starts_with('|');
            continue;
        };
        let last = row.rsplit(" | ").next().unwrap();
        if last == "shown by" {
            is_claim = true;
        } else if is_claim {
            claims += 1;
            if last != "–" && !last.contains("::") {
                without.push(row);
            }
        }
    }
    assert!(without.is_empty(), "claims without a test: {without:#?}");
    assert!(claims > 40, "{claims}");
}
