//! Which values of a text are secrets, and by what: because a pattern names them, or because they look like secrets.
//!
//! `check` tells what is found here, `encrypt --found` encrypts it: so both mean the same. The leaves may come from any
//! format. Whether a value is encrypted already is not judged here.

pub(crate) use super::likely::{JudgedLeaf, KIND, Reason};
use super::likely::{NEAR, Surroundings};
use super::pattern::Patterns;

/// Why a value is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// This pattern names it: that is certain.
    Named(String),
    /// It looks like one.
    Likely(Reason),
}

/// Which leaves of a text are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// The strings at least.
    Strings,
    /// Those at least that say [`KIND`].
    Kinds,
    /// All that may be secrets.
    All,
}

/// Finds the secrets among the leaves of one text, in their order, and hands on each with the reason. `leaves` gives them from
/// the first on, each time that it is called: no more than a few are held at once. What `secrets` name is a secret whatever
/// `ignored` says; that speaks of likely ones alone. Without `ignored`, likely secrets are not looked for.
pub(crate) fn find<L: JudgedLeaf, I: Iterator<Item = L>>(
    leaves: impl Fn(Which) -> I,
    secrets: &mut [Patterns],
    mut ignored: Option<&mut Patterns>,
    mut found: impl FnMut(&L, Why),
) {
    if ignored.is_none() && secrets.iter().all(|patterns| patterns.is_empty()) {
        return;
    }
    let around = match ignored.is_some() {
        true => Surroundings::of(leaves(Which::Strings), leaves(Which::Kinds)),
        false => Surroundings::default(),
    };
    let mut waiting = leaves(Which::All);
    let mut window: Vec<L> = Vec::with_capacity(WINDOW);
    let mut here = 0;
    loop {
        if window.len() == WINDOW {
            window.drain(..here - NEAR);
            here = NEAR;
        }
        window.extend(waiting.by_ref().take(WINDOW - window.len()));
        // At the end of the text nothing is behind the last leaves.
        let is_end = window.len() < WINDOW;
        let end = if is_end { window.len() } else { WINDOW - NEAR };
        for at in here..end {
            let leaf = &window[at];
            if let Some(why) = named(leaf.pointer(), secrets) {
                found(leaf, why);
            } else if let Some(ignored) = &mut ignored
                && let Some(reason) = around.reason(&window, at)
                && ignored.find(leaf.pointer()).is_none()
            {
                found(leaf, Why::Likely(reason));
            }
        }
        here = end;
        if is_end {
            break;
        }
    }
}

/// So many leaves are held at once: some before and behind those that are judged.
const WINDOW: usize = 64 + 2 * NEAR;

/// The first pattern that names the value at `pointer`. All of them are asked, so that each knows that it was used.
fn named(pointer: &str, secrets: &mut [Patterns]) -> Option<Why> {
    let found = secrets.iter_mut().map(|patterns| patterns.find(pointer).map(|pattern| pattern.as_str().to_owned()));
    found.fold(None, Option::or).map(Why::Named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<'a>(
        leaves: &[(&'a str, &'a str)],
        secrets: &mut [Patterns],
        ignored: Option<&mut Patterns>,
    ) -> Vec<((&'a str, &'a str), Why)> {
        let mut all = Vec::new();
        find(|_| leaves.iter().copied(), secrets, ignored, |leaf, why| all.push((*leaf, why)));
        all
    }

    #[test]
    fn what_stands_around_a_value_tells_wherever_it_is() {
        for at in 0..190 {
            let mut leaves = vec![("/n", "1"); 200];
            leaves[at] = ("/e/value", "hunter2");
            leaves.insert(at + 3, ("/e/name", "DB_PASSWORD"));
            let found = all(&leaves, &mut [], Some(&mut Patterns::default()));
            let likely = Why::Likely(Reason::Name("DB_PASSWORD".into()));
            assert_eq!(found, [(("/e/value", "hunter2"), likely)], "{at}");
        }
    }

    #[test]
    fn a_named_value_is_certain_and_an_ignored_one_is_not_likely() {
        let leaves = [("/a/x", "plain"), ("/db/password", "hunter2"), ("/test/password", "hunter2"), ("/n", "1")];
        let mut secrets = [Patterns::parse(["/a/*", "**/never"]).unwrap(), Patterns::parse(["**/x"]).unwrap()];
        let mut ignored = Patterns::parse(["/test/**", "/a/x", "/old"]).unwrap();
        let found = all(&leaves, &mut secrets, Some(&mut ignored));
        let likely = Why::Likely(Reason::Name("password".into()));
        assert_eq!(found, [(leaves[0], Why::Named("/a/*".into())), (leaves[1], likely)]);
        let all = secrets.iter().chain([&ignored]).flat_map(Patterns::iter);
        let unused: Vec<&str> = all.filter(|(_, is_used)| !is_used).map(|(pattern, _)| pattern.as_str()).collect();
        // A pattern that ignores what is no likely secret has no use.
        assert_eq!(unused, ["**/never", "/a/x", "/old"]);
    }

    #[test]
    fn a_secret_that_is_named_and_ignored_is_a_secret() {
        let mut secrets = [Patterns::parse(["/password"]).unwrap()];
        let mut ignored = Patterns::parse(["**"]).unwrap();
        let leaf = ("/password", "hunter2");
        let found = all(&[leaf], &mut secrets, Some(&mut ignored));
        assert_eq!(found, [(leaf, Why::Named("/password".into()))]);
        assert_eq!(all(&[leaf], &mut [], None), []);
    }
}
