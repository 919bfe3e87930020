//! `module:attribute`: a Python application as users of Gunicorn and Uvicorn name it.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// What Python is to import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `module:attribute`, both possibly dotted; without `:attribute` it has one of the usual names.
    pub object: String,
    /// Whether the attribute is called, without arguments, to get the application.
    pub factory: bool,
}

impl Entry {
    /// Reads `module`, `module:attribute` or `module:factory()`.
    ///
    /// # Errors
    /// What is wrong with `text` and how to write it, worded to follow `text:`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (module, attribute) = match text.split_once(':') {
            Some((module, attribute)) => (module, Some(attribute)),
            None => (text, None),
        };
        check_module(module)?;
        let Some(attribute) = attribute else { return Ok(Self { object: module.to_owned(), factory: false }) };
        let (name, factory) = match attribute.split_once('(') {
            None => (attribute, false),
            Some((name, ")")) => (name, true),
            Some((name, _)) => {
                return Err(format!("a factory is called without arguments; write {module}:{name}()"));
            }
        };
        if name.is_empty() {
            return Err(format!("names nothing after the colon; write module:attribute, such as {module}:application"));
        }
        match name.split('.').find(|part| !is_identifier(part)) {
            Some(part) => Err(format!("{part:?} is not a name in Python; write module:attribute")),
            None => Ok(Self { object: format!("{module}:{name}"), factory }),
        }
    }

    /// Whether an attribute is named.
    pub fn has_attribute(&self) -> bool {
        self.object.contains(':')
    }

    /// Whether the file of the module is below `directory`. It need not be: modules may be installed elsewhere.
    pub fn is_below(&self, directory: &Path) -> bool {
        let module = self.object.split(':').next().unwrap_or_default().replace('.', "/");
        ["", "/__init__"].into_iter().any(|end| directory.join(format!("{module}{end}.py")).is_file())
    }
}

fn check_module(module: &str) -> Result<(), String> {
    // Not only identifiers: what can't be written in an `import` statement can be imported by name.
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    if module.is_empty() {
        return Err("names nothing before the colon; write module:attribute, such as shop.wsgi:application".to_owned());
    }
    let dotted = module.strip_suffix(".py").unwrap_or(module).trim_start_matches("./").replace('/', ".");
    if dotted != module && dotted.split('.').all(is_part) {
        return Err(format!("is a file where a module is needed; write {dotted}:application"));
    }
    match module.split('.').find(|part| !is_part(part)) {
        Some(_) => Err(format!("{module:?} is not a module of Python; write module:attribute")),
        None => Ok(()),
    }
}

fn is_identifier(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_') && text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("shop.wsgi:application", "shop.wsgi:application", false)]
    #[case("shop:site.app", "shop:site.app", false)]
    #[case("shop:create_app()", "shop:create_app", true)]
    #[case("shop.wsgi", "shop.wsgi", false)]
    #[case("my-shop:app", "my-shop:app", false)]
    #[case("büro:größe", "büro:größe", false)]
    fn reads_what_gunicorn_and_uvicorn_read(#[case] text: &str, #[case] object: &str, #[case] factory: bool) {
        assert_eq!(Entry::parse(text), Ok(Entry { object: object.to_owned(), factory }));
    }

    #[rstest]
    #[case(":app", "names nothing before the colon; write module:attribute, such as shop.wsgi:application")]
    #[case("shop:", "names nothing after the colon; write module:attribute, such as shop:application")]
    #[case("shop:()", "names nothing after the colon; write module:attribute, such as shop:application")]
    #[case("shop.py:app", "is a file where a module is needed; write shop:application")]
    #[case("./src/shop.py", "is a file where a module is needed; write src.shop:application")]
    #[case("src/shop:app", "is a file where a module is needed; write src.shop:application")]
    #[case("shop..wsgi:app", "\"shop..wsgi\" is not a module of Python; write module:attribute")]
    #[case("../shop.py:app", "\"../shop.py\" is not a module of Python; write module:attribute")]
    #[case("the shop:app", "\"the shop\" is not a module of Python; write module:attribute")]
    #[case("shop()", "\"shop()\" is not a module of Python; write module:attribute")]
    #[case("localhost:3000", "\"3000\" is not a name in Python; write module:attribute")]
    #[case("shop:app:app", "\"app:app\" is not a name in Python; write module:attribute")]
    #[case("shop:app.", "\"\" is not a name in Python; write module:attribute")]
    #[case("shop:create_app(1)", "a factory is called without arguments; write shop:create_app()")]
    #[case("shop:create_app(", "a factory is called without arguments; write shop:create_app()")]
    fn says_how_to_write_it(#[case] text: &str, #[case] complaint: &str) {
        assert_eq!(Entry::parse(text), Err(complaint.to_owned()));
    }

    #[test]
    fn finds_the_file_of_a_module_or_package() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("shop")).unwrap();
        for file in ["main.py", "shop/__init__.py", "shop/wsgi.py"] {
            std::fs::write(directory.path().join(file), "").unwrap();
        }
        let is_there = |text| Entry::parse(text).unwrap().is_below(directory.path());
        assert!(is_there("main") && is_there("shop") && is_there("shop.wsgi") && is_there("shop.wsgi:app"));
        assert!(!is_there("wsgi") && !is_there("shop.asgi") && !is_there("shop.wsgi.app"));
    }
}
