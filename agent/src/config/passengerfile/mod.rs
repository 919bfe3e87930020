//! `Passengerfile.json` or `Passengerfile.toml`: option names with their values, for the instance and for one or
//! several applications.

use super::ConfigErrors;
use super::document::{Document, Member, Syntax, TABLES, Table};
use super::error::ConfigError;
use passenger_native::options::{self, Kind, OPTIONS, OptionSpec, Scope};
use serde_json::Value as Json;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Far more than all options together need, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// How alike a mistyped key and an option's name must be for the name to be suggested, from 0 to 1.
const ALIKE: f64 = 0.8;

/// One setting in the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) option: &'static OptionSpec,
    pub(super) value: Json,
    /// How errors name it: the file, the place in it, the key and the value.
    pub(super) shown: String,
}

/// What the file says about one application among several.
#[derive(Debug, Default)]
pub(super) struct AppEntries {
    /// How errors begin that are about what is not there: the file and the place in it.
    pub(super) shown: String,
    pub(super) entries: Vec<Entry>,
}

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Passengerfile {
    /// What stands at the top.
    pub(super) entries: Vec<Entry>,
    /// The list of applications, if there is one.
    pub(super) apps: Option<Vec<AppEntries>>,
    /// Whose file it is.
    pub(super) owner: Option<u32>,
}

/// The settings in the file in `directory`; none when there is no such file.
pub(super) fn read(directory: &Path) -> Result<Passengerfile, ConfigErrors> {
    let failed = |path: &Path, reason: String| ConfigError::new(format!("{}{reason}", path.display()));
    let mut found: Option<(PathBuf, Syntax, Text)> = None;
    for syntax in Syntax::ALL {
        let path = directory.join(syntax.file_name());
        let Some(text) = load(&path).map_err(|reason| failed(&path, format!(": {reason}")))? else { continue };
        if let Some((other, ..)) = &found {
            return Err(failed(&path, format!(": there is {} as well; remove one of them", other.display())).into());
        }
        found = Some((path, syntax, text));
    }
    let Some((path, syntax, text)) = found else { return Ok(Passengerfile::default()) };
    let document = syntax.read(&text.text).map_err(|reason| failed(&path, format!(":{reason}")))?;
    let file = Interpreter { path: &path, has_apps: document.apps.is_some(), errors: Vec::new() }.run(document)?;
    Ok(Passengerfile { owner: Some(text.owner), ..file })
}

/// Makes settings of names. All that is wrong is told, not only the first.
struct Interpreter<'a> {
    path: &'a Path,
    has_apps: bool,
    errors: Vec<ConfigError>,
}

impl Interpreter<'_> {
    fn run(mut self, document: Document) -> Result<Passengerfile, ConfigErrors> {
        let entries = self.entries(document.members, false);
        let apps = document.apps.map(|apps| {
            let apps: Vec<AppEntries> = apps.into_iter().map(|app| self.app(app)).collect();
            if apps.is_empty() {
                let reason = format!("{}: \"{TABLES}\" names no application; add one", self.path.display());
                self.errors.push(ConfigError::new(reason));
            }
            apps
        });
        ConfigErrors::none(self.errors).map(|()| Passengerfile { entries, apps, owner: None })
    }

    fn app(&mut self, table: Table) -> AppEntries {
        AppEntries {
            shown: format!("{}:{}: ", self.path.display(), table.at),
            entries: self.entries(table.members, true),
        }
    }

    fn entries(&mut self, members: Vec<Member>, in_app: bool) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for member in members {
            match self.entry(member, in_app, &entries) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => {}
                Err(reason) => self.errors.push(ConfigError::new(format!("{}:{reason}", self.path.display()))),
            }
        }
        entries
    }

    /// An error begins with the line and column.
    fn entry(&self, member: Member, in_app: bool, before: &[Entry]) -> Result<Option<Entry>, String> {
        let Member { key, key_at, value, value_at, shown } = member;
        let allowed = |option: &OptionSpec| match option.scope {
            Scope::Instance => !in_app,
            Scope::App => true,
            Scope::Entry => in_app,
        };
        let option = match options::find(&key) {
            Some(option) if allowed(option) => option,
            Some(_) => return Err(format!("{key_at}: {}", misplaced(&key, in_app, self.has_apps))),
            None => return Err(format!("{key_at}: {}", unknown(&key, in_app, allowed))),
        };
        // `null` is how a file says "as if this were not here".
        if value.is_null() {
            return Ok(None);
        }
        // The values of variables may be secrets.
        let shown = if option.kind == Kind::Map { Json::from(&*key).to_string() } else { shown };
        let shown = format!("{value_at}: {shown}");
        if before.iter().any(|entry| entry.option.name == option.name) {
            return Err(format!("{shown}: is the second value of {}; remove one", option.name));
        }
        Ok(Some(Entry { option, value, shown: format!("{}:{shown}", self.path.display()) }))
    }
}

/// What is in a file, and whose it is.
struct Text {
    text: String,
    owner: u32,
}

fn load(path: &Path) -> Result<Option<Text>, String> {
    let readable = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => "may not be read; give its reader permission or remove it".to_owned(),
        _ => format!("cannot be read ({error}); repair or remove it"),
    };
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(readable(error)),
        // A named pipe would keep the server waiting for good.
        Ok(metadata) if !metadata.is_file() => return Err("is not a file; remove it or make it one".to_owned()),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(readable)?;
    let owner = author(path.symlink_metadata().map_err(readable)?.uid(), file.metadata().map_err(readable)?.uid());
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(readable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("is larger than {LARGEST_FILE} bytes, so it is hardly a list of options"));
    }
    let text = String::from_utf8(bytes).map_err(|error| format!("is not UTF-8 text: {}", error.utf8_error()))?;
    Ok(Some(Text { text, owner }))
}

/// Who has said what is in a file that may be behind a link: who makes a link to one of root's does not speak for root.
const fn author(link: u32, file: u32) -> u32 {
    if link == 0 { file } else { link }
}

/// Why an option can't stand where it does.
fn misplaced(key: &str, in_app: bool, has_apps: bool) -> String {
    let key = Json::from(key);
    match (in_app, has_apps) {
        (true, _) => format!("{key} is about the whole instance, not one application; move it out of \"{TABLES}\""),
        (false, true) => format!("{key} is about one application; move it into its entry of \"{TABLES}\""),
        (false, false) => {
            format!("{key} stands only in an entry of \"{TABLES}\"; an application alone is in the file's directory")
        }
    }
}

fn unknown(key: &str, in_app: bool, allowed: impl Fn(&OptionSpec) -> bool) -> String {
    let typed = key.to_lowercase().replace('-', "_");
    let names =
        OPTIONS.iter().filter(|option| allowed(option)).map(|option| option.name).chain((!in_app).then_some(TABLES));
    let nearest = names
        .map(|name| (strsim::jaro_winkler(name, &typed), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let key = Json::from(key);
    match nearest {
        Some((_, name)) => format!("{key} is not an option; did you mean \"{name}\"?"),
        None => format!("{key} is not an option; `passenger help start` lists them"),
    }
}

#[cfg(test)]
mod tests;
