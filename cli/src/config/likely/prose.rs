//! Whether a text is a list of messages, in which `"password": "Passwort"` is a label.

/// How many of the values are sentences.
#[derive(Default)]
pub(super) struct Prose {
    all: usize,
    prose: usize,
}

impl Prose {
    pub(super) fn add(&mut self, value: &str) {
        // Most values are one word, and the first character tells.
        if !value.contains(' ') {
            self.all += usize::from(value.contains(char::is_alphabetic));
            return;
        }
        let has_letters = value.contains(char::is_alphabetic);
        self.all += usize::from(has_letters);
        let mut words =
            value.split(' ').filter(|word| word.chars().all(char::is_alphabetic) && word.chars().count() >= 2);
        self.prose += usize::from(has_letters && words.nth(1).is_some());
    }

    /// Whether most of them are: the text is a list of messages.
    pub(super) fn is_most(&self) -> bool {
        self.all >= 10 && self.prose * 3 >= self.all
    }
}
