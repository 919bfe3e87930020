//! In which language a run's applications are written. Most scenarios know nothing of it: what they expect must hold in all.

/// The language, by the environment variable `PASSENGER_TEST_LANGUAGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Ruby, as Rack applications (`ruby`, or nothing set).
    Ruby,
    /// Python, as WSGI applications (`wsgi`).
    Wsgi,
    /// Python, as ASGI applications (`asgi`).
    Asgi,
}

impl Language {
    pub(crate) const ALL: [Self; 3] = [Self::Ruby, Self::Wsgi, Self::Asgi];

    /// What the environment asks for.
    pub fn current() -> Self {
        match std::env::var("PASSENGER_TEST_LANGUAGE").as_deref() {
            Err(_) | Ok("ruby") => Self::Ruby,
            Ok("wsgi") => Self::Wsgi,
            Ok("asgi") => Self::Asgi,
            Ok(other) => panic!("PASSENGER_TEST_LANGUAGE={other}: must be ruby, wsgi or asgi"),
        }
    }

    /// The file that starts an application.
    pub fn startup_file(self) -> &'static str {
        match self {
            Self::Ruby => "config.ru",
            Self::Wsgi => "passenger_wsgi.py",
            Self::Asgi => "passenger_asgi.py",
        }
    }

    /// This source file, which the reference applications have in each language; without its extension.
    pub fn source_file(self, name: &str) -> String {
        let extension = if self == Self::Ruby { "rb" } else { "py" };
        format!("{name}.{extension}")
    }

    /// The fixture that has a path for everything.
    pub(crate) fn reference(self) -> &'static str {
        match self {
            Self::Ruby => "rack",
            Self::Wsgi => "wsgi",
            Self::Asgi => "asgi",
        }
    }

    /// A startup file whose application answers every request with this text, which needs no quoting.
    pub fn answering(self, text: &str) -> String {
        match self {
            Self::Ruby => format!("run ->(_) {{ [200, {{ \"Content-Type\" => \"text/plain\" }}, [\"{text}\"]] }}\n"),
            Self::Wsgi => format!(
                "def application(environ, start_response):\n    \
                     start_response(\"200 OK\", [(\"Content-Type\", \"text/plain\")])\n    \
                     return [b\"{text}\"]\n"
            ),
            Self::Asgi => format!(
                "async def application(scope, receive, send):\n    \
                     assert scope[\"type\"] == \"http\"\n    \
                     await send({{\"type\": \"http.response.start\", \"status\": 200, \"headers\": []}})\n    \
                     await send({{\"type\": \"http.response.body\", \"body\": b\"{text}\"}})\n"
            ),
        }
    }

    /// A line for the top of a startup file that adds the process to `tmp/boots`, which must be there.
    pub fn noting_boots(self) -> &'static str {
        match self {
            Self::Ruby => "File.write(\"tmp/boots\", \"#{Process.pid}\\n\", mode: \"a\")\n",
            Self::Wsgi | Self::Asgi => "import os; open(\"tmp/boots\", \"a\").write(f\"{os.getpid()}\\n\")\n",
        }
    }

    /// A startup file that fails with this message, which needs no quoting.
    pub fn raising(self, message: &str) -> String {
        if self == Self::Ruby {
            format!("raise \"{message}\"\n")
        } else {
            format!("raise RuntimeError(\"{message}\")\n")
        }
    }
}

/// Returns from a scenario that does not concern this language, saying why.
#[macro_export]
macro_rules! not_over {
    ($language:ident, $why:literal) => {
        if $crate::Language::current() == $crate::Language::$language {
            eprintln!("skipped: {}", $why);
            return;
        }
    };
}
