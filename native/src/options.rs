//! The option table: the one place that knows which options exist.
//!
//! The command line, `--help`, `Passengerfile.json` and `.toml`, the `PASSENGER_*` environment variables and `docs/options.md`
//! are all made from [`OPTIONS`]. An option is added by adding one entry here and one line where its value is used.

/// What values an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// A file or directory. A relative one starts at the working directory; in a Passengerfile at its directory, or
    /// in an entry of `apps` at the application.
    Path,
    /// A file or directory inside the application: a relative one always starts at the application.
    AppPath,
    /// A program: a path, or a bare name that is looked up in `PATH`.
    Program,
    /// A whole number, both bounds included.
    Integer {
        /// The smallest value that is accepted.
        min: u64,
        /// The largest value that is accepted.
        max: u64,
    },
    /// Whole numbers with commas between them, both bounds included; in a file also a number or a list of numbers.
    Integers {
        /// The smallest value that is accepted.
        min: u64,
        /// The largest value that is accepted.
        max: u64,
    },
    /// A whole number, both bounds included, or the word `auto`.
    IntegerOrAuto {
        /// The smallest number that is accepted.
        min: u64,
        /// The largest number that is accepted.
        max: u64,
    },
    /// On or off; on the command line `--name` and `--no-name`.
    Flag,
    /// Words with commas between them; in a file also a list of texts.
    List,
    /// Names with values: in a file an object of texts; on the command line `NAME=VALUE`, as often as needed. Those from all places
    /// add up. There is no environment variable for it.
    Map,
    /// One of a few words.
    Choice {
        /// The words, as they are shown.
        values: &'static [&'static str],
        /// Other spellings, each with the word it stands for.
        synonyms: &'static [(&'static str, &'static str)],
    },
}

/// What holds when nobody sets the option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// This text, read as if the user had given it.
    Fixed(&'static str),
    /// Found out when the server starts; the text says how.
    Computed(&'static str),
    /// The option has no effect.
    Unset,
}

/// What an option is about, and so where it may be set when an instance serves several applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The instance: not in an entry of `apps`.
    Instance,
    /// One application: in its entry of `apps`; beside `apps` it holds for all that do not say otherwise.
    App,
    /// One application among several: only in its entry of `apps`.
    Entry,
}

/// Under which heading an option is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Where requests come in.
    Listening,
    /// What is run, and how.
    Application,
    /// What only Ruby applications need.
    Ruby,
    /// What only Python applications need.
    Python,
    /// How many workers there are and how long requests wait for them.
    Pool,
    /// How workers are replaced, and how they leave.
    Restarts,
    /// How the server itself runs: background, files, log.
    Server,
}

impl Section {
    /// All sections, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::Listening, Self::Application, Self::Ruby, Self::Python, Self::Pool, Self::Restarts, Self::Server];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Listening => "Listening",
            Self::Application => "Application",
            Self::Ruby => "Ruby applications",
            Self::Python => "Python applications",
            Self::Pool => "Pool",
            Self::Restarts => "Restarts",
            Self::Server => "Server",
        }
    }
}

/// One option.
#[derive(Debug)]
pub struct OptionSpec {
    /// Name in snake case; it is the key in a Passengerfile.
    pub name: &'static str,
    /// What it is about.
    pub scope: Scope,
    /// One-letter flag on the command line.
    pub short: Option<char>,
    /// Other names, valid wherever `name` is.
    pub aliases: &'static [&'static str],
    /// What values it takes.
    pub kind: Kind,
    /// What holds when nobody sets it.
    pub default: DefaultValue,
    /// What `--help` calls the value; empty for a flag.
    pub value_name: &'static str,
    /// One or two lines, with units.
    pub help: &'static str,
    /// Where it is shown.
    pub section: Section,
}

impl OptionSpec {
    /// The long flag without its dashes: `max-pool-size`.
    pub fn long(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The environment variables that set it, the main one first: `PASSENGER_MAX_POOL_SIZE`.
    pub fn environment_variables(&self) -> impl Iterator<Item = String> {
        let names = std::iter::once(&self.name).chain(self.aliases).filter(|_| self.kind != Kind::Map);
        names.map(|name| format!("PASSENGER_{}", name.to_ascii_uppercase()))
    }
}

/// The option called `name` (snake case) or that has it as an alias.
pub fn find(name: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.name == name || option.aliases.contains(&name))
}

/// Log levels that the original numbered from 0 to 7; 6 and 7 were shades of debug. Python servers write them out.
const LOG_LEVEL_SYNONYMS: &[(&str, &str)] = &[
    ("0", "crit"),
    ("1", "error"),
    ("2", "warn"),
    ("3", "notice"),
    ("4", "info"),
    ("5", "debug"),
    ("6", "debug"),
    ("7", "debug"),
    ("critical", "crit"),
    ("warning", "warn"),
];

/// Every option, in the order in which it is shown within its section.
pub static OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "address",
        scope: Scope::Instance,
        short: Some('a'),
        // Uvicorn's and Puma's name for it.
        aliases: &["host"],
        kind: Kind::Text,
        default: DefaultValue::Computed("0.0.0.0 in production, else 127.0.0.1"),
        value_name: "HOST",
        help: "Listen on this address or host name",
        section: Section::Listening,
    },
    OptionSpec {
        name: "port",
        scope: Scope::Instance,
        short: Some('p'),
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 65535 },
        default: DefaultValue::Fixed("3000"),
        value_name: "PORT",
        help: "Listen on this TCP port; 0 lets the system choose one",
        section: Section::Listening,
    },
    OptionSpec {
        name: "socket",
        scope: Scope::Instance,
        short: Some('S'),
        // Uvicorn's name for it.
        aliases: &["uds"],
        kind: Kind::Path,
        default: DefaultValue::Unset,
        value_name: "FILE",
        help: "Listen on this Unix socket instead of a TCP port",
        section: Section::Listening,
    },
    OptionSpec {
        name: "environment",
        scope: Scope::App,
        short: Some('e'),
        aliases: &[],
        kind: Kind::Text,
        default: DefaultValue::Computed("PASSENGER_APP_ENV, RAILS_ENV, RACK_ENV or development"),
        value_name: "NAME",
        help: "The application's environment",
        section: Section::Application,
    },
    OptionSpec {
        name: "root",
        scope: Scope::Entry,
        short: None,
        // The original's name for it.
        aliases: &["app_root"],
        kind: Kind::Path,
        default: DefaultValue::Computed("the directory of the Passengerfile"),
        value_name: "DIR",
        help: "The application's directory",
        section: Section::Application,
    },
    OptionSpec {
        name: "name",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Text,
        default: DefaultValue::Computed("the name of its directory"),
        value_name: "NAME",
        help: "What the application is called in status and log",
        section: Section::Application,
    },
    OptionSpec {
        name: "server_names",
        scope: Scope::App,
        short: None,
        aliases: &["server_name"],
        kind: Kind::List,
        default: DefaultValue::Computed("every host that no other application names"),
        value_name: "HOSTS",
        help: "The hosts that the application answers for; *.example.com is all hosts below example.com",
        section: Section::Application,
    },
    OptionSpec {
        name: "base_uri",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Text,
        default: DefaultValue::Fixed("/"),
        value_name: "PATH",
        help: "The path below which the application is; it becomes SCRIPT_NAME",
        section: Section::Application,
    },
    OptionSpec {
        name: "app_type",
        scope: Scope::App,
        short: None,
        // Uvicorn's and Granian's name for it.
        aliases: &["interface"],
        kind: Kind::Choice { values: &["auto", "rack", "wsgi", "asgi"], synonyms: &[("asgi3", "asgi")] },
        default: DefaultValue::Fixed("auto"),
        value_name: "TYPE",
        help: "The kind of application; auto finds out",
        section: Section::Application,
    },
    OptionSpec {
        name: "startup_file",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::AppPath,
        default: DefaultValue::Computed("config.ru, passenger_wsgi.py or passenger_asgi.py"),
        value_name: "FILE",
        help: "The file that starts the application, relative to it",
        section: Section::Application,
    },
    OptionSpec {
        name: "spawn_method",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Choice { values: &["smart", "direct"], synonyms: &[] },
        default: DefaultValue::Fixed("smart"),
        value_name: "NAME",
        help: "Fork workers from one loaded application, or load it in each",
        section: Section::Application,
    },
    OptionSpec {
        name: "start_timeout",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 1, max: 86_400 },
        default: DefaultValue::Fixed("90"),
        value_name: "SECONDS",
        help: "How long the application may take to start, in seconds",
        section: Section::Application,
    },
    OptionSpec {
        name: "threads",
        scope: Scope::App,
        short: None,
        // The original's name for it.
        aliases: &["thread_count"],
        // One descriptor a thread travels in one message, which holds at most 253 of them.
        kind: Kind::Integer { min: 1, max: 128 },
        default: DefaultValue::Fixed("1"),
        value_name: "NUMBER",
        help: "How many requests a worker serves at the same time",
        section: Section::Application,
    },
    OptionSpec {
        name: "static_files_dir",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::AppPath,
        default: DefaultValue::Fixed("public"),
        value_name: "DIR",
        help: "Serve files in this directory directly, relative to the application",
        section: Section::Application,
    },
    OptionSpec {
        name: "user",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Text,
        default: DefaultValue::Computed("the owner of the startup file, or of the directory with --app"),
        value_name: "NAME",
        help: "Run the application as this user; only when the server is started by root",
        section: Section::Application,
    },
    OptionSpec {
        name: "group",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Text,
        default: DefaultValue::Computed("the user's primary group"),
        value_name: "NAME",
        help: "Run the application with this group; !STARTUP_FILE! is the startup file's",
        section: Section::Application,
    },
    OptionSpec {
        name: "envvars",
        scope: Scope::App,
        short: None,
        // The original's name for it on the command line.
        aliases: &["envvar"],
        kind: Kind::Map,
        default: DefaultValue::Unset,
        value_name: "NAME=VALUE",
        help: "Environment variables for the application, besides those of the server",
        section: Section::Application,
    },
    OptionSpec {
        name: "load_shell_envvars",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Flag,
        default: DefaultValue::Fixed("false"),
        value_name: "",
        help: "Also give the application the environment variables that its user's login shell sets (~/.profile)",
        section: Section::Application,
    },
    OptionSpec {
        name: "app_file_descriptor_ulimit",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 64, max: 1_073_741_816 },
        default: DefaultValue::Computed("the limit that the server was started with"),
        value_name: "NUMBER",
        help: "How many files each of the application's processes may have open",
        section: Section::Application,
    },
    OptionSpec {
        name: "rackup",
        scope: Scope::App,
        short: Some('R'),
        aliases: &[],
        kind: Kind::AppPath,
        default: DefaultValue::Unset,
        value_name: "FILE",
        help: "Short for --app-type rack --startup-file FILE",
        section: Section::Ruby,
    },
    OptionSpec {
        name: "ruby",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Program,
        default: DefaultValue::Computed("the one that runs passenger, else ruby in PATH"),
        value_name: "PROGRAM",
        help: "The Ruby that runs the application",
        section: Section::Ruby,
    },
    OptionSpec {
        name: "app",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Text,
        default: DefaultValue::Unset,
        value_name: "MODULE:APP",
        help: "Import this application instead of running a startup file; MODULE:APP() is made by a factory",
        section: Section::Python,
    },
    OptionSpec {
        name: "factory",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Flag,
        default: DefaultValue::Fixed("false"),
        value_name: "",
        help: "APP is a function without arguments that returns the application",
        section: Section::Python,
    },
    OptionSpec {
        name: "app_dir",
        scope: Scope::App,
        short: None,
        // Gunicorn's name for it.
        aliases: &["pythonpath"],
        kind: Kind::AppPath,
        default: DefaultValue::Computed("the application's directory"),
        value_name: "DIR",
        help: "Where modules are looked for first, relative to the application",
        section: Section::Python,
    },
    OptionSpec {
        name: "python",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Program,
        default: DefaultValue::Computed(
            "the application's .venv or venv, VIRTUAL_ENV, the one that runs passenger, python3 in PATH",
        ),
        value_name: "PROGRAM",
        help: "The Python that runs the application, or the directory of its virtual environment",
        section: Section::Python,
    },
    OptionSpec {
        name: "max_pool_size",
        scope: Scope::Instance,
        short: None,
        aliases: &[],
        kind: Kind::IntegerOrAuto { min: 1, max: 10_000 },
        default: DefaultValue::Fixed("6"),
        value_name: "NUMBER",
        help: "How many workers there may be at most, of all applications together; auto is two a processor, and no more than fit into memory",
        section: Section::Pool,
    },
    OptionSpec {
        name: "max_instances",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 10_000 },
        default: DefaultValue::Fixed("0"),
        value_name: "NUMBER",
        help: "How many workers the application may have at most; 0 means no other limit than max_pool_size",
        section: Section::Pool,
    },
    OptionSpec {
        name: "min_instances",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 10_000 },
        default: DefaultValue::Fixed("1"),
        value_name: "NUMBER",
        help: "How many workers are kept without traffic, once the application has been started",
        section: Section::Pool,
    },
    OptionSpec {
        name: "pre_start",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Flag,
        default: DefaultValue::Fixed("true"),
        value_name: "",
        help: "Start the application with the server, not with its first request",
        section: Section::Pool,
    },
    OptionSpec {
        name: "max_spawns",
        scope: Scope::Instance,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 1, max: 10_000 },
        default: DefaultValue::Computed("the number of processors, at least 2"),
        value_name: "NUMBER",
        help: "How many workers may be starting at the same time, of all applications together",
        section: Section::Pool,
    },
    OptionSpec {
        name: "pool_idle_time",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 31_536_000 },
        default: DefaultValue::Fixed("300"),
        value_name: "SECONDS",
        help: "End a worker that has had nothing to do for this long, in seconds, if there are more than min_instances; 0 means never",
        section: Section::Pool,
    },
    OptionSpec {
        name: "max_preloader_idle_time",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 31_536_000 },
        default: DefaultValue::Fixed("300"),
        value_name: "SECONDS",
        help: "End a preloader that has started no worker for this long, in seconds; the next worker starts another; 0 means never",
        section: Section::Pool,
    },
    OptionSpec {
        name: "workers",
        scope: Scope::App,
        short: Some('w'),
        aliases: &[],
        kind: Kind::Integer { min: 1, max: 10_000 },
        default: DefaultValue::Unset,
        value_name: "NUMBER",
        help: "Always this many workers: short for --max-pool-size NUMBER --min-instances NUMBER; of one application among several, for max_instances and min_instances",
        section: Section::Pool,
    },
    OptionSpec {
        name: "max_requests",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 1_000_000_000 },
        default: DefaultValue::Fixed("0"),
        value_name: "NUMBER",
        help: "Replace a worker after this many requests; 0 means never",
        section: Section::Pool,
    },
    OptionSpec {
        name: "max_requests_jitter",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 1_000_000_000 },
        default: DefaultValue::Fixed("0"),
        value_name: "NUMBER",
        help: "Up to this many requests more than max_requests, by chance for each worker, so that not all are replaced at once",
        section: Section::Pool,
    },
    OptionSpec {
        name: "memory_limit",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 1_000_000 },
        default: DefaultValue::Fixed("0"),
        value_name: "MB",
        help: "Replace a worker that has more memory to itself than this, in megabytes; 0 means no limit",
        section: Section::Pool,
    },
    OptionSpec {
        name: "refork_after",
        scope: Scope::App,
        short: None,
        aliases: &["refork"],
        kind: Kind::Integers { min: 0, max: 1_000_000_000 },
        default: DefaultValue::Fixed("0"),
        value_name: "NUMBERS",
        help: "When a worker has served this many requests, fork the others from it anew, to share memory; of several numbers each generation takes the next and the last stays; 0 means no more",
        section: Section::Pool,
    },
    OptionSpec {
        name: "force_max_concurrent_requests_per_process",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 1_000_000 },
        default: DefaultValue::Fixed("1000"),
        value_name: "NUMBER",
        help: "How many requests a worker serves at the same time at most, whatever its threads and without WebSockets; 0 means no limit",
        section: Section::Pool,
    },
    OptionSpec {
        name: "sticky_sessions",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Flag,
        default: DefaultValue::Fixed("false"),
        value_name: "",
        help: "Have the same worker answer all requests of a client, as long as it serves; a cookie remembers which",
        section: Section::Pool,
    },
    OptionSpec {
        name: "sticky_sessions_cookie_name",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Text,
        default: DefaultValue::Fixed("_passenger_route"),
        value_name: "NAME",
        help: "The name of the cookie for sticky_sessions",
        section: Section::Pool,
    },
    OptionSpec {
        name: "sticky_sessions_cookie_attributes",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Text,
        // The original says Secure as well, even where the browser would never send such a cookie back.
        default: DefaultValue::Fixed("SameSite=Lax"),
        value_name: "ATTRIBUTES",
        help: "Attributes of that cookie besides Path and HttpOnly; with \"SameSite=Lax; Secure\" browsers send it back over https alone",
        section: Section::Pool,
    },
    OptionSpec {
        name: "max_request_queue_size",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 1_000_000 },
        default: DefaultValue::Fixed("100"),
        value_name: "NUMBER",
        help: "How many requests may wait, more get 503; 0 means no limit",
        section: Section::Pool,
    },
    OptionSpec {
        name: "max_request_queue_time",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 86_400 },
        default: DefaultValue::Fixed("0"),
        value_name: "SECONDS",
        help: "How long a request may wait, in seconds, then it gets 504; 0 means no limit",
        section: Section::Pool,
    },
    OptionSpec {
        name: "max_request_time",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Integer { min: 0, max: 86_400 },
        default: DefaultValue::Fixed("0"),
        value_name: "SECONDS",
        help: "How long a worker may take for a request, in seconds, then the request gets 504 and the worker is replaced; 0 means no limit",
        section: Section::Pool,
    },
    OptionSpec {
        name: "health_check_paths",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::List,
        default: DefaultValue::Unset,
        value_name: "PATHS",
        help: "Requests for these paths, such as /up, are let past those that wait, and count for no limit",
        section: Section::Pool,
    },
    OptionSpec {
        name: "rolling_restarts",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Flag,
        default: DefaultValue::Fixed("true"),
        value_name: "",
        help: "Restart by replacing one worker after the other, but in development; else all at once",
        section: Section::Restarts,
    },
    OptionSpec {
        name: "resist_deployment_errors",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::Flag,
        default: DefaultValue::Fixed("true"),
        value_name: "",
        help: "Keep the version before serving when the new one does not start, in a rolling restart",
        section: Section::Restarts,
    },
    OptionSpec {
        name: "restart_dir",
        scope: Scope::App,
        short: None,
        aliases: &[],
        kind: Kind::AppPath,
        default: DefaultValue::Fixed("tmp"),
        value_name: "DIR",
        help: "Where restart.txt and always_restart.txt are looked for, relative to the application",
        section: Section::Restarts,
    },
    OptionSpec {
        name: "shutdown_timeout",
        scope: Scope::App,
        short: None,
        // Gunicorn's and Puma's names for it.
        aliases: &["graceful_timeout", "worker_shutdown_timeout"],
        kind: Kind::Integer { min: 1, max: 86_400 },
        default: DefaultValue::Fixed("30"),
        value_name: "SECONDS",
        help: "How long a worker that is to leave may take for its requests, and then for its shutdown hooks, in seconds each",
        section: Section::Restarts,
    },
    OptionSpec {
        name: "daemonize",
        scope: Scope::Instance,
        short: Some('d'),
        aliases: &[],
        kind: Kind::Flag,
        default: DefaultValue::Fixed("false"),
        value_name: "",
        help: "Run in the background",
        section: Section::Server,
    },
    OptionSpec {
        name: "pid_file",
        scope: Scope::Instance,
        short: None,
        aliases: &[],
        kind: Kind::Path,
        default: DefaultValue::Computed("tmp/pids/passenger.PORT.pid; in /run for root where others may write"),
        value_name: "FILE",
        help: "Write the process id to this file",
        section: Section::Server,
    },
    OptionSpec {
        name: "log_file",
        scope: Scope::Instance,
        short: None,
        aliases: &[],
        kind: Kind::Path,
        default: DefaultValue::Computed(
            "the terminal; in the background log/passenger.PORT.log, in /var/log for root where others may write",
        ),
        value_name: "FILE",
        help: "Write the log to this file",
        section: Section::Server,
    },
    OptionSpec {
        name: "log_level",
        scope: Scope::Instance,
        short: None,
        aliases: &[],
        kind: Kind::Choice {
            values: &["crit", "error", "warn", "notice", "info", "debug"],
            synonyms: LOG_LEVEL_SYNONYMS,
        },
        default: DefaultValue::Fixed("notice"),
        value_name: "LEVEL",
        help: "How much is logged",
        section: Section::Server,
    },
    OptionSpec {
        name: "user_switching",
        scope: Scope::Instance,
        short: None,
        aliases: &[],
        kind: Kind::Flag,
        default: DefaultValue::Fixed("true"),
        value_name: "",
        help: "Whether applications run as users of their own when the server is started by root; if not, they run as root",
        section: Section::Server,
    },
    OptionSpec {
        name: "default_user",
        scope: Scope::Instance,
        short: None,
        aliases: &[],
        kind: Kind::Text,
        default: DefaultValue::Fixed("nobody"),
        value_name: "NAME",
        help: "Started by root, run applications that belong to root as this user",
        section: Section::Server,
    },
    OptionSpec {
        name: "default_group",
        scope: Scope::Instance,
        short: None,
        aliases: &[],
        kind: Kind::Text,
        default: DefaultValue::Computed("the default user's primary group"),
        value_name: "NAME",
        help: "Started by root, the group of applications that would have root's",
        section: Section::Server,
    },
    OptionSpec {
        name: "instance_registry_dir",
        scope: Scope::Instance,
        short: None,
        aliases: &[],
        kind: Kind::Path,
        default: DefaultValue::Computed("TMPDIR, else /tmp"),
        value_name: "DIR",
        help: "Where stop and status find running instances",
        section: Section::Server,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::HashSet;

    #[test]
    fn no_name_or_short_flag_is_used_twice() {
        let mut names = HashSet::new();
        let mut shorts = HashSet::new();
        for option in OPTIONS {
            for name in std::iter::once(&option.name).chain(option.aliases) {
                assert!(names.insert(name), "{name} is used twice");
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name} is not snake case");
            }
            assert!(option.short.is_none_or(|short| shorts.insert(short)), "-{:?} is used twice", option.short);
        }
    }

    #[rstest]
    #[case("max_pool_size", Some("max_pool_size"))]
    #[case("thread_count", Some("threads"))]
    #[case("max-pool-size", None)]
    #[case("", None)]
    fn finds_by_name_and_alias(#[case] name: &str, #[case] found: Option<&str>) {
        assert_eq!(find(name).map(|option| option.name), found);
    }

    #[test]
    fn spells_a_name_for_each_place() {
        let threads = find("threads").unwrap();
        assert_eq!(find("max_pool_size").unwrap().long(), "max-pool-size");
        assert_eq!(
            threads.environment_variables().collect::<Vec<_>>(),
            ["PASSENGER_THREADS", "PASSENGER_THREAD_COUNT"]
        );
    }
}
