//! The layers of docs/architecture.md hold: imports go from upper floors to lower ones, without a
//! circle, and every file stays small and has a telling name.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod floors;
mod graph;
mod imports;

use std::fs;
use std::path::{Path, PathBuf};

use crate::floors::Floors;
use crate::graph::{circle, faults};
use crate::imports::Sources;

/// The crates that have floors.
const CRATES: [&str; 2] = ["core/src", "core/driver/src"];

/// Names that say nothing to a newcomer, and were given up.
const GIVEN_UP: [&str; 21] = [
    "routing", "straight", "short", "lend", "wishes", "stash", "line", "wire", "observe",
    "delivery", "sending", "intake", "link", "room", "waiter", "alone", "dial", "home", "leaving",
    "crowd", "arrival",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file below a folder, by its path in that folder, with its text.
fn read(folder: &Path) -> Vec<(String, String)> {
    let mut folders = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                files.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn upper_floors_import_lower_ones_only_and_nothing_goes_in_a_circle() {
    let document = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let mut found = Vec::new();
    for folder in CRATES {
        let files = read(&root().join(folder));
        let floors = Floors::parse(&document, folder);
        let arrows = Sources::new(&files).arrows();
        assert!(arrows.len() > files.len(), "{folder} has imports: {}", arrows.len());
        let names = files.iter().map(|(name, _)| name.as_str());
        found.extend(
            faults(&floors, names, &arrows).into_iter().map(|it| format!("{folder}: {it}")),
        );
        found.extend(circle(&arrows).into_iter().map(|it| format!("{folder}: circle: {it}")));
    }
    assert!(found.is_empty(), "against docs/architecture.md:\n{}", found.join("\n"));
}

#[test]
fn files_are_small() {
    for folder in CRATES {
        let mut lengths: Vec<_> = read(&root().join(folder))
            .into_iter()
            .map(|(name, text)| (text.lines().count(), name))
            .collect();
        lengths.sort();
        let (longest, name) = lengths.last().unwrap();
        assert!(*longest <= 400, "{folder}/{name} has {longest} lines");
        let (median, _) = lengths[lengths.len() / 2];
        assert!(median < 200, "{folder}: half of the files have more than {median} lines");
    }
}

#[test]
fn names_that_were_given_up_are_not_back() {
    for folder in CRATES {
        for (name, _) in read(&root().join(folder)) {
            let back = name.trim_end_matches(".rs").split('/').find(|part| GIVEN_UP.contains(part));
            assert_eq!(back, None, "{folder}/{name}");
        }
    }
}

/// The checks above can fail: a made-up crate has one of each fault.
#[test]
fn a_circle_and_an_import_of_an_upper_floor_are_found() {
    let document = "\
| floor | rooms in `made/up` | what for |
|---|---|---|
| 0 | `ground` `cellar` | |
| 1 | `hall` | |
| beside | `garden` | |
";
    let files = [
        (
            "lib.rs",
            "mod hall; pub use crate::hall::Chair; #[cfg(test)] mod tests { use crate::garden; }",
        ),
        ("ground.rs", "/* use crate::garden; */ use crate::Chair; // crate::attic::Box"),
        ("cellar.rs", "fn f() { let jar = \"crate::hall::Jar\"; crate::garden::dig(jar) }"),
        (
            "hall/mod.rs",
            "mod chair; pub use self::chair::Chair; use super::ground::{Floor, Wall as W};",
        ),
        ("hall/chair.rs", "use crate::hall::table::{self, Leg};"),
        ("hall/table.rs", "use crate::{ground::Floor, hall::{Chair}};"),
        ("garden.rs", "use crate::hall::Chair;"),
        ("attic.rs", ""),
    ]
    .map(|(name, text)| (name.to_string(), text.to_string()));
    let floors = Floors::parse(document, "made/up");
    let arrows = Sources::new(&files).arrows();
    let names = files.iter().map(|(name, _)| name.as_str());
    assert_eq!(
        faults(&floors, names, &arrows),
        [
            "attic.rs stands on no floor",
            "cellar.rs (floor 0) imports garden.rs, which stands beside the floors",
            "ground.rs (floor 0) imports hall/chair.rs (floor 1)",
        ]
    );
    assert_eq!(
        circle(&arrows),
        [
            "ground.rs imports hall/chair.rs",
            "hall/chair.rs imports hall/table.rs",
            "hall/table.rs imports ground.rs",
            "hall/table.rs imports hall/chair.rs",
        ]
    );
}
