//! What may be wrong with the imports of a crate.

use std::collections::BTreeSet;

use crate::floors::{Floor, Floors};

/// From a file to one that it imports.
pub(crate) type Arrow = (String, String);

/// Files without a floor, rooms without a file, and imports that do not go down.
pub(crate) fn faults<'f>(
    floors: &Floors,
    files: impl Iterator<Item = &'f str>,
    arrows: &BTreeSet<Arrow>,
) -> Vec<String> {
    let files: Vec<_> = files.filter(|file| *file != "lib.rs").collect();
    let mut faults = Vec::new();
    for file in &files {
        if floors.of(file).is_none() {
            faults.push(format!("{file} stands on no floor"));
        }
    }
    for room in floors.rooms() {
        if !files.iter().any(|file| file.split('/').next().unwrap().trim_end_matches(".rs") == room)
        {
            faults.push(format!("{room} is on a floor, and is not there"));
        }
    }
    for (from, to) in arrows.iter().filter(|(from, _)| from != "lib.rs") {
        if to == "lib.rs" {
            faults.push(format!("{from} imports what lib.rs defines"));
            continue;
        }
        let same_room = from.split(['/', '.']).next() == to.split(['/', '.']).next();
        match (floors.of(from), floors.of(to)) {
            (Some(Floor::Numbered(low)), Some(Floor::Numbered(high))) if low < high => {
                faults.push(format!("{from} (floor {low}) imports {to} (floor {high})"));
            }
            (Some(Floor::Numbered(floor)), Some(Floor::Beside)) => faults.push(format!(
                "{from} (floor {floor}) imports {to}, which stands beside the floors"
            )),
            (Some(Floor::Beside), Some(Floor::Beside)) if !same_room => {
                faults.push(format!("{from} imports {to}, and both stand beside the floors"));
            }
            _ => {}
        }
    }
    faults
}

/// The imports that are part of a circle: the imported file leads back to the one that imports it.
pub(crate) fn circle(arrows: &BTreeSet<Arrow>) -> Vec<String> {
    let leads_back = |(from, to): &&Arrow| {
        let mut reached = BTreeSet::from([to]);
        let mut next = vec![to];
        while let Some(file) = next.pop() {
            let imported = arrows.iter().filter(|(from, _)| from == file).map(|(_, to)| to);
            next.extend(imported.filter(|to| reached.insert(to)));
        }
        reached.contains(from)
    };
    arrows.iter().filter(leads_back).map(|(from, to)| format!("{from} imports {to}")).collect()
}
