//! Which server the scenarios run against.

/// The server under test, by the environment variable `PASSENGER_UNDER_TEST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnderTest {
    /// The one built from this repository (`ours`, or nothing set).
    Ours,
    /// The Puma that is installed (`puma`).
    Puma,
    /// The Passenger 6 that is installed (`passenger6`).
    Passenger6,
}

impl UnderTest {
    /// What the environment asks for.
    pub fn current() -> Self {
        match std::env::var("PASSENGER_UNDER_TEST").as_deref() {
            Err(_) | Ok("ours") => Self::Ours,
            Ok("puma") => Self::Puma,
            Ok("passenger6") => Self::Passenger6,
            Ok(other) => panic!("PASSENGER_UNDER_TEST={other}: must be ours, puma or passenger6"),
        }
    }

    /// Whether this repository's server is under test.
    pub fn is_ours() -> bool {
        Self::current() == Self::Ours
    }
}

/// Returns from a scenario that another server than ours does not promise to pass, saying why.
#[macro_export]
macro_rules! ours_only {
    ($why:literal) => {
        if !$crate::UnderTest::is_ours() {
            eprintln!("skipped: {}", $why);
            return;
        }
    };
}
