//! Just enough of Rust's lexical grammar to look at paths: words and punctuation, with comments,
//! literals and the items of tests taken out.

use std::iter::Peekable;
use std::str::Chars;

/// A word or a single character of punctuation, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(crate) fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The tokens of `source`, without comments and literals.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        chars: source.chars().peekable(),
        line: 1,
    };
    let mut found = Vec::new();
    while let Some(token) = lexer.next_token() {
        found.push(token);
    }
    found
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
}

impl Lexer<'_> {
    fn bump(&mut self) -> Option<char> {
        let c = self.chars.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn bump_if(&mut self, wanted: char) -> bool {
        let there = self.chars.peek() == Some(&wanted);
        if there {
            self.bump();
        }
        there
    }

    fn next_token(&mut self) -> Option<Token> {
        loop {
            let line = self.line;
            match self.bump()? {
                '/' if self.bump_if('/') => while self.bump().is_some_and(|c| c != '\n') {},
                '/' if self.bump_if('*') => self.block_comment(),
                '"' => self.string(),
                '\'' => self.quote(),
                c if c.is_whitespace() => {}
                c if c.is_alphanumeric() || c == '_' => {
                    let text = self.word(c);
                    if !self.literal_after(&text) {
                        return Some(Token { text, line });
                    }
                }
                c => {
                    return Some(Token {
                        text: c.to_string(),
                        line,
                    });
                }
            }
        }
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 1;
        while let Some(c) = self.bump().filter(|_| depth > 0) {
            match c {
                '/' if self.bump_if('*') => depth += 1,
                '*' if self.bump_if('/') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        while let Some(c) = self.bump() {
            match c {
                '"' => return,
                '\\' => drop(self.bump()),
                _ => {}
            }
        }
    }

    /// After a `'`: a character, or the name of a lifetime.
    fn quote(&mut self) {
        if self.bump_if('\\') {
            self.bump();
            while self.bump().is_some_and(|c| c != '\'') {}
            return;
        }
        self.bump();
        if self.bump_if('\'') {
            return;
        }
        while self
            .chars
            .next_if(|c| c.is_alphanumeric() || *c == '_')
            .is_some()
        {}
    }

    fn word(&mut self, first: char) -> String {
        let mut text = String::from(first);
        while let Some(c) = self.chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
            text.push(c);
        }
        text
    }

    /// Whether `word` is the prefix of a literal, which is then passed over.
    fn literal_after(&mut self, word: &str) -> bool {
        match word {
            "b" if self.bump_if('\'') => self.quote(),
            "b" | "c" if self.bump_if('"') => self.string(),
            "r" | "br" | "cr" => return self.raw_string(),
            _ => return false,
        }
        true
    }

    /// After an `r`: `"…"`, `#"…"#` and so on. An `r#word` is a word: its `r` and its `#` go.
    fn raw_string(&mut self) -> bool {
        let mut hashes = 0_usize;
        while self.bump_if('#') {
            hashes += 1;
        }
        if !self.bump_if('"') {
            return hashes > 0;
        }
        while let Some(c) = self.bump() {
            if c == '"' && (0..hashes).all(|_| self.bump_if('#')) {
                return true;
            }
        }
        true
    }
}

/// The tokens without the items that `#[cfg(test)]` or `#[cfg(all(test, …))]` keeps out of a
/// release.
pub(crate) fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::new();
    let mut rest = tokens.into_iter();
    while let Some(token) = rest.next() {
        let closes = token.is("]");
        kept.push(token);
        if closes && ends_in_cfg_test(&kept) {
            skip_item(&mut rest);
        }
    }
    kept
}

fn ends_in_cfg_test(tokens: &[Token]) -> bool {
    let start = tokens
        .iter()
        .rposition(|t| t.is("#"))
        .unwrap_or(tokens.len());
    let text: String = tokens.iter().skip(start).map(|t| t.text.as_str()).collect();
    text == "#[cfg(test)]" || text.starts_with("#[cfg(all(test,")
}

/// Passes over an item: to its `;`, or to the brace that closes its body. (Of `use a::{b, c};` the
/// `;` stays, and is no harm.)
fn skip_item(rest: &mut impl Iterator<Item = Token>) {
    let mut depth = 0_usize;
    for token in rest {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            ";" if depth == 0 => return,
            _ => {}
        }
        if depth == 0 && token.is("}") {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> String {
        let kept = without_tests(tokens(source));
        kept.iter()
            .map(|t| t.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn comments_and_literals_go() {
        assert_eq!(texts("a // crate::x\nb /* c /* d */ e */ f"), "a b f");
        assert_eq!(
            texts(r#"a("crate::x \" y", b"z", 'q', '\'', '\u{1F}', b'"') b"#),
            "a ( , , , , , ) b"
        );
        assert_eq!(
            texts(r###"r"a\" b r#"c"d"# r##"e"#f"## g r#type"###),
            "b g type"
        );
        assert_eq!(
            texts("fn f<'a>(x: &'a str, y: &'static u8)"),
            "fn f < > ( x : & str , y : & u8 )"
        );
    }

    #[test]
    fn lines_are_counted() {
        let lines: Vec<usize> = tokens("a\n/* x\n */ b \"\n\" c")
            .iter()
            .map(|t| t.line)
            .collect();
        assert_eq!(lines, [1, 3, 4]);
    }

    #[test]
    fn items_of_tests_go() {
        assert_eq!(
            texts("#[cfg(test)] mod tests { use a; fn f() {} } fn g() {}"),
            "# [ cfg ( test ) ] fn g ( ) { }"
        );
        assert_eq!(texts("#[cfg(test)] use a::b; d"), "# [ cfg ( test ) ] d");
        assert_eq!(
            texts("#[cfg(not(test))] use a; d"),
            "# [ cfg ( not ( test ) ) ] use a ; d"
        );
        assert_eq!(
            texts("#[cfg(all(test, x))] #[y] fn f([a]: [u8; 1]) { ; } d"),
            "# [ cfg ( all ( test , x ) ) ] d"
        );
    }
}
