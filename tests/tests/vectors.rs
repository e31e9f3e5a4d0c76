//! Replays the wire vectors: every one passes, except those that are known to fail.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

use std::collections::BTreeSet;
use std::path::Path;

use tidegate_tests::vectors::replay_directory;

/// The list of known failures must be exact: a failure that is not on it is an error, and so is a
/// vector on it that passes.
#[test]
fn every_vector_passes_except_known_failures() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let summary = replay_directory(&directory.join("vectors")).unwrap();
    let known = std::fs::read_to_string(directory.join("vectors-known.txt")).unwrap();
    let known: BTreeSet<&str> =
        known.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();

    assert!(summary.passed.len() + summary.failed.len() >= 559, "no vector may get lost");
    for name in &known {
        let is_named = summary.passed.iter().any(|passed| passed == name)
            || summary.failed.iter().any(|(failed, _)| failed == name);
        assert!(is_named, "{name} is listed and does not exist");
    }
    let news: Vec<_> =
        summary.failed.iter().filter(|(name, _)| !known.contains(name.as_str())).collect();
    assert!(news.is_empty(), "failed: {news:#?}");
    let passes: Vec<_> =
        summary.passed.iter().filter(|name| known.contains(name.as_str())).collect();
    assert!(passes.is_empty(), "passes now, take it off the list: {passes:#?}");
}
