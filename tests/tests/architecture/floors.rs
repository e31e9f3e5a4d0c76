//! The tables of floors in docs/architecture.md.

/// The rooms of one crate, each with its floor.
#[derive(Debug)]
pub(crate) struct Floors(Vec<(String, Floor)>);

/// Where a room stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    /// It may import this floor and those below.
    Numbered(u32),
    /// It may import every floor, and none may import it.
    Beside,
}

impl Floors {
    /// Reads the table that has this folder in its header.
    pub(crate) fn parse(document: &str, folder: &str) -> Self {
        let header = format!("`{folder}`");
        let mut lines =
            document.lines().skip_while(|line| !(line.starts_with('|') && line.contains(&header)));
        assert!(lines.next().is_some(), "docs/architecture.md has a table of floors for {folder}");
        let mut rooms = Vec::new();
        for row in lines.skip(1).take_while(|line| line.starts_with('|')) {
            let mut cells = row.split('|').skip(1).map(str::trim);
            let floor = match cells.next().unwrap() {
                "beside" => Floor::Beside,
                number => Floor::Numbered(number.parse().expect("a floor has a number")),
            };
            let names = cells.next().unwrap().split('`').skip(1).step_by(2);
            rooms.extend(names.map(|name| (name.to_string(), floor)));
        }
        Self(rooms)
    }

    /// The floor of a file, by the room (the module of the crate) that it belongs to.
    pub(crate) fn of(&self, file: &str) -> Option<Floor> {
        let room = file.split('/').next().unwrap().trim_end_matches(".rs");
        self.0.iter().find(|(name, _)| name == room).map(|(_, floor)| *floor)
    }

    /// The rooms of the table.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}
