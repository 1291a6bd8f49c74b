//! Reads worlds and faults.

use std::path::{Path, PathBuf};

use crate::schema::{Expect, Fault, World};

/// A world, or a world with a fault merged into it, ready to be brought up.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its path under `worlds/` or `faults/`, without the extension, with `/`.
    pub name: String,
    /// The file that it was read from.
    pub file: PathBuf,
    /// What it is about.
    pub about: String,
    /// The name of the healthy world that it deviates from; `None` where it is one.
    pub base: Option<String>,
    /// The finding that it comes close to.
    pub near: Option<String>,
    /// Why it is not diagnosed yet.
    pub known_gap: Option<String>,
    /// The world as it is to be brought up.
    pub world: World,
    /// What must come out.
    pub expect: Expect,
    /// The folder of files that `fixture` and `pem:` name.
    pub fixtures: PathBuf,
}

/// What is wrong with a scenario's file. `Display` is for a person: file, line, column, caret where known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file, or a folder, cannot be read.
    #[error("{file}: {error}", file = .file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The text is not what the schema allows.
    #[error("{file}:{line}:{column}\n{error}", file = .file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong, with the line and a caret under it.
        error: String,
    },
    /// The parts fit the schema and not each other.
    #[error("{file}: {says}", file = .file.display())]
    Contradictory {
        /// The file.
        file: PathBuf,
        /// What does not fit.
        says: String,
    },
    /// No scenario has that name.
    #[error("no scenario is called {name}{near}", near = hint(.alike))]
    Unknown {
        /// As asked for.
        name: String,
        /// Names that it may have meant.
        alike: Vec<String>,
    },
}

fn hint(alike: &[String]) -> String {
    if alike.is_empty() { String::new() } else { format!("; there is {}", alike.join(", ")) }
}

/// The folder that this package's own worlds, faults and fixtures are in.
pub fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The names of all scenarios under `home`, worlds first, each kind in alphabetical order.
///
/// # Errors
/// A folder cannot be read.
pub fn names(home: &Path) -> Result<Vec<String>, LoadError> {
    let mut all = Vec::new();
    if !home.join("worlds").is_dir() {
        let says = "there is no folder worlds here".to_owned();
        return Err(LoadError::Contradictory { file: home.to_owned(), says });
    }
    for kind in ["worlds", "faults"] {
        let root = home.join(kind);
        let mut found = Vec::new();
        if root.is_dir() {
            walk(&root, &root, &mut found)?;
        }
        found.sort();
        all.append(&mut found);
    }
    Ok(all)
}

fn walk(root: &Path, folder: &Path, into: &mut Vec<String>) -> Result<(), LoadError> {
    let unreadable = |error| LoadError::Unreadable { file: folder.to_owned(), error };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            walk(root, &path, into)?;
        } else if path.extension().is_some_and(|e| e == "toml") {
            let relative = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            let parts: Vec<_> = relative.iter().map(|p| p.to_string_lossy()).collect();
            into.push(parts.join("/"));
        }
    }
    Ok(())
}

/// Loads the scenario of that name, or of that last part where it is the only one.
///
/// # Errors
/// There is none, or more than one, or its file is wrong.
pub fn by_name(home: &Path, name: &str) -> Result<Scenario, LoadError> {
    let all = names(home)?;
    // A path below the lab's folder, as a shell completes it, is its name too.
    let bare = name.strip_suffix(".toml").unwrap_or(name);
    let name = ["worlds/", "faults/"].iter().find_map(|folder| bare.strip_prefix(folder)).unwrap_or(bare);
    let exact = all.iter().find(|known| *known == name);
    let by_end: Vec<&String> = all.iter().filter(|known| known.rsplit('/').next() == Some(name)).collect();
    let found = match (exact, by_end.as_slice()) {
        (Some(found), _) => found,
        (None, [only]) => *only,
        (None, _) => {
            let alike = all.iter().filter(|known| known.contains(name)).cloned().collect();
            return Err(LoadError::Unknown { name: name.to_owned(), alike });
        }
    };
    let world = home.join("worlds").join(format!("{found}.toml"));
    if world.is_file() {
        load_world(home, &world)
    } else {
        load_fault(home, &home.join("faults").join(format!("{found}.toml")))
    }
}

/// Loads every scenario under `home`; a file that is wrong gives its error in its place.
///
/// # Errors
/// A folder cannot be read.
pub fn all(home: &Path) -> Result<Vec<Result<Scenario, LoadError>>, LoadError> {
    Ok(names(home)?.iter().map(|name| by_name(home, name)).collect())
}

/// Loads the file of a world.
///
/// # Errors
/// The file cannot be read or is wrong.
pub fn load_world(home: &Path, file: &Path) -> Result<Scenario, LoadError> {
    let text = read(file)?;
    let world: World = parse(file, &text)?;
    if world.about.is_empty() {
        return Err(contradictory(file, "a world says what it is `about`"));
    }
    Ok(Scenario {
        name: name_of(home, "worlds", file),
        file: file.to_owned(),
        about: world.about.clone(),
        base: None,
        near: None,
        known_gap: None,
        expect: world.expect.clone().unwrap_or_default(),
        world,
        fixtures: home.join("fixtures"),
    })
}

/// Loads the file of a fault and the world that it deviates from.
///
/// # Errors
/// Either file cannot be read or is wrong, or they do not fit each other.
pub fn load_fault(home: &Path, file: &Path) -> Result<Scenario, LoadError> {
    let text = read(file)?;
    let fault: Fault = parse(file, &text)?;
    for (key, value) in [("about", &fault.about), ("world", &fault.world)] {
        if value.is_empty() {
            return Err(contradictory(file, &format!("a fault says its `{key}`")));
        }
    }
    if fault.change.expect.is_some() {
        return Err(contradictory(file, "`[expect]` stands beside `[change]`, not in it"));
    }
    if let Some(near) = fault.near.as_ref().filter(|near| fault.expect.findings.contains(near)) {
        return Err(contradictory(file, &format!("a near miss of {near} must not expect it")));
    }
    let base_file = home.join("worlds").join(format!("{}.toml", fault.world));
    if !base_file.is_file() {
        return Err(contradictory(file, &format!("there is no world `{}`", fault.world)));
    }
    let base_text = read(&base_file)?;
    let _: World = parse(&base_file, &base_text)?;
    let mut merged: toml::Table = parse(&base_file, &base_text)?;
    merged.remove("expect");
    let mut whole: toml::Table = parse(file, &text)?;
    if let Some(toml::Value::Table(change)) = whole.remove("change") {
        merge(&mut merged, change);
    }
    let world = World::deserialize_merged(merged).map_err(|error| contradictory(file, &error.to_string()))?;
    Ok(Scenario {
        name: name_of(home, "faults", file),
        file: file.to_owned(),
        about: fault.about,
        base: Some(fault.world),
        near: fault.near,
        known_gap: fault.known_gap,
        world,
        expect: fault.expect,
        fixtures: home.join("fixtures"),
    })
}

impl World {
    fn deserialize_merged(table: toml::Table) -> Result<World, toml::de::Error> {
        table.try_into()
    }
}

/// Merges `change` into `base`: tables are merged, everything else replaces.
pub fn merge(base: &mut toml::Table, change: toml::Table) {
    for (key, value) in change {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(over)) => merge(below, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn read(file: &Path) -> Result<String, LoadError> {
    std::fs::read_to_string(file).map_err(|error| LoadError::Unreadable { file: file.to_owned(), error })
}

fn parse<T: serde::de::DeserializeOwned>(file: &Path, text: &str) -> Result<T, LoadError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let before = &text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        LoadError::Invalid { file: file.to_owned(), line, column, error: error.to_string() }
    })
}

fn contradictory(file: &Path, says: &str) -> LoadError {
    LoadError::Contradictory { file: file.to_owned(), says: says.to_owned() }
}

fn name_of(home: &Path, kind: &str, file: &Path) -> String {
    let relative = file.strip_prefix(home.join(kind)).unwrap_or(file).with_extension("");
    relative.iter().map(|p| p.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{SuiteOrder, WrongField};

    fn home_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = home.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        home
    }

    const WORLD: &str = "about = 'a site'\n[upstream]\nname = 'upstream.example.com'\n[upstream.port.8530]\n[upstream.port.8531]\n";

    #[test]
    fn a_change_merges_tables_and_replaces_the_rest() {
        let home = home_with(&[
            ("worlds/w.toml", WORLD),
            (
                "faults/dial/closed.toml",
                "world = 'w'\nabout = 'x'\n[change.upstream.port.8531]\nspeaks = 'closed'\n[expect]\nverdict = 'faulty'\n",
            ),
        ]);
        let scenario = by_name(home.path(), "closed").unwrap();
        assert_eq!(scenario.name, "dial/closed");
        assert_eq!(by_name(home.path(), "faults/dial/closed.toml").unwrap().name, "dial/closed");
        assert!(names(&home.path().join("faults")).is_err());
        let upstream = scenario.world.upstream.unwrap();
        assert_eq!(upstream.name, "upstream.example.com");
        assert_eq!(upstream.port.len(), 2);
        assert_eq!(
            upstream.port[&crate::schema::PortNumber(8531)].speaks,
            Some(crate::schema::Speaks::Closed)
        );
    }

    #[test]
    fn every_file_of_this_package_loads() {
        for scenario in all(&home()).unwrap() {
            if let Err(error) = scenario {
                panic!("{error}");
            }
        }
    }

    #[test]
    fn a_misspelt_key_of_a_change_is_shown_where_it_stands() {
        let home = home_with(&[
            ("worlds/w.toml", WORLD),
            (
                "faults/dial/closed.toml",
                "world = 'w'\nabout = 'x'\n[change.upstream.port.8531]\nspeak = 'closed'\n",
            ),
        ]);
        let error = by_name(home.path(), "dial/closed").unwrap_err().to_string();
        assert!(error.contains("closed.toml:4:1"), "{error}");
        assert!(error.contains("unknown field `speak`"), "{error}");
        assert!(error.contains('^'), "{error}");
    }

    #[test]
    fn a_wrong_word_deep_inside_is_shown_where_it_stands() {
        let home = home_with(&[("worlds/w.toml", "about = 'x'\n[upstream]\ndir.Content = 'gone'\n")]);
        let error = by_name(home.path(), "w").unwrap_err().to_string();
        assert!(error.contains("w.toml:3:"), "{error}");
        assert!(error.contains("unknown answer `gone`"), "{error}");
    }

    #[test]
    fn a_server_can_be_a_policy_alone() {
        let world = "about = 'x'\n[upstream.tls]\nsuites_of = { '1.0' = ['c014'], '1.2' = ['c02f'] }\norder = 'client'\n\
            both_keys = true\nunsigned = true\nalpn = ['h2']\nrefuses_version = 'rst'\nlongest_hello = 512\n\
            refuses_long = 'silence'\nhostile = 'silence-after-hello'\nwrong = 'session-length'\n";
        let home = home_with(&[("worlds/w.toml", world)]);
        let tls = by_name(home.path(), "w").unwrap().world.upstream.unwrap().tls;
        assert_eq!(tls.suites_of["1.0"], ["c014"]);
        assert_eq!((tls.order, tls.both_keys, tls.unsigned), (SuiteOrder::Client, true, true));
        assert_eq!((tls.longest_hello, tls.refuses_long.as_deref()), (Some(512), Some("silence")));
        assert_eq!(tls.wrong, Some(WrongField::SessionLength));
        for (line, wrong) in [("hostile = 'unofferred'", "unofferred"), ("wrong = 'sesion'", "sesion")] {
            let home = home_with(&[("worlds/w.toml", &format!("about = 'x'\n[upstream.tls]\n{line}\n"))]);
            let error = by_name(home.path(), "w").unwrap_err().to_string();
            assert!(error.contains("w.toml:3:") && error.contains(&format!("`{wrong}`")), "{error}");
            assert!(error.contains('^'), "{error}");
        }
    }
}
