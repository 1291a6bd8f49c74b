//! What gives a secret away, and how it is hidden in what is kept of a file. The script that collects hides less: what it
//! reads holds no commands that people typed.

use std::sync::{LazyLock, OnceLock};

use regex::{Regex, RegexSet};

/// The names of a password as Windows and people write them.
const PASSWORD: &str = r"(?:pass(?:word|wort|wd|phrase)|kennwort|mot de passe|contrase(?:\u00f1|n)a|senha|wachtwoord|l(?:\u00f6|o)senord|has(?:\u0142|l)o|\u043f\u0430\u0440\u043e\u043b\u044c|\u30d1\u30b9\u30ef\u30fc\u30c9|\u5bc6\u7801|pwd|\bpw|\bpass\b)";
/// The names of secrets that the configuration and SUSDB hold.
const STORED: &str = "(?:ProxyPassword|EncryptionKey)";
/// The program `net`.
const NET: &str = r#"(?:^|[\s>;&|("'])net1?(?:\.exe)?[ \t\u00a0]+"#;

/// A value that only says whether there is one, as in `HasProxyPassword : True`.
const FLAG: &str = r#"["'\s:=>(|]*(?:true|false)(?:[\s,;<)"'|]|$)"#;
/// What is said of a password and is none.
const SAID: &str = r"[ \t\u00a0]+(?:is|ist|est)[ \t\u00a0]+(?:true|false|not|no|now|never|also|only|too|set|unset|stored|saved|kept|needed|required|missing|empty|blank|expired|about|being|been|correct|incorrect|incorrecte|valid|invalid|invalide|wrong|bad|unknown|known|hidden|used|different|asked|requested|sent|encrypted|protected|falsch|nicht|leer|abgelaufen|erforderlich|ung\S{1,4}ltig|expir\S{1,4}|vide|requis|obligatoire)(?:[\s,;.:!]|$)";

/// How every pattern is meant: without regard to case, line by line.
const MODE: &str = "(?im)";

/// What hides behind the name of a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// The rest of the line.
    Line,
    /// A value in quotes, which stay, or one word.
    Word,
    /// The same on a command line, where a word may also be the next switch, a variable or an expression.
    Argument,
    /// What an element of XML holds.
    Element,
    /// What this pattern takes.
    Of(&'static str),
}

impl Value {
    fn pattern(self) -> String {
        let quoted =
            |word: &str| format!(r#"(?:(")(?:[^"\\\r\n]|\\[^\r\n]|"")*"?|(')(?:[^'\r\n]|'')*'?|{word})"#);
        match self {
            Value::Line => r"[^\r\n]*".into(),
            Value::Word => quoted(r"[^\s;]+"),
            Value::Argument => quoted(r#"[^\s"'()$*/;,|<>-][^\s;,|)]*"#),
            Value::Element => r"[^<\r\n]+".into(),
            Value::Of(pattern) => pattern.into(),
        }
    }

    /// What takes the place of a match.
    fn hidden(self) -> &'static str {
        match self {
            Value::Word | Value::Argument => "$1$2$3$4(hidden)$3$4",
            _ => "$1$2(hidden)",
        }
    }
}

/// Where a secret stands.
struct Place {
    /// Its name, or what else tells of it.
    name: String,
    /// What stands between the name and the secret.
    between: &'static str,
    value: Value,
    /// What follows the name where no secret follows.
    none: Option<&'static str>,
    /// Made where it is first needed: they are large.
    finder: OnceLock<Finder>,
}

impl Place {
    /// What is in a text that holds it.
    fn sign(&self) -> &str {
        if self.name.is_empty() { "@" } else { &self.name }
    }

    /// Finds the name (1), what stands behind it (2), a quotation mark (3 or 4) and the secret.
    fn pattern(&self) -> String {
        format!("{MODE}({})({}){}", self.name, self.between, self.value.pattern())
    }

    /// Hides what this place holds.
    fn hide(&self, text: &str) -> String {
        let finder = self.finder.get_or_init(|| Finder {
            pattern: compiled(&self.pattern()),
            none: self.none.map(|none| compiled(&format!(r"{MODE}\A(?:{none})"))),
        });
        let (mut out, mut done, mut from) = (String::with_capacity(text.len()), 0, 0);
        while let Some(found) = finder.pattern.captures_at(text, from) {
            let (whole, name) = (found.get_match(), found.get(1).map_or(0, |name| name.end()));
            if finder.none.as_ref().is_some_and(|none| none.is_match(&text[name..])) {
                from = name;
                continue;
            }
            out.push_str(&text[done..whole.start()]);
            found.expand(self.value.hidden(), &mut out);
            (done, from) = (whole.end(), whole.end());
        }
        out.push_str(&text[done..]);
        out
    }
}

/// Every place, in the order in which they are looked for: a command that makes a secret comes before the variable that
/// takes it.
static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let place = |name: &str, between, value, none| {
        let (name, finder) = (name.to_string(), OnceLock::new());
        Place { name, between, value, none, finder }
    };
    let argument = |name: &str, between| place(name, between, Value::Argument, None);
    vec![
        argument("ConvertTo-SecureString", r"(?:[ \t\u00a0]+-\w+)*[ \t\u00a0]+"),
        argument("(?:PS|Network)Credential", r"\b[^,\r\n]*,[ \t\u00a0]*"),
        argument(r#"(?:^|[\s"'])[-/]{1,2}(?:rp|pass|passwd|password|pw)"#, r"(?:[:=]|[ \t\u00a0]+)"),
        argument(
            r"(?:^|\s)[-/]r?u(?:ser)?",
            r"(?::|[ \t\u00a0]+)\S+[ \t\u00a0]+[-/]r?p(?:w|ass\w*)?(?::|[ \t\u00a0]+)",
        ),
        argument(r"\bcertutil", r"[^\r\n]*?[ \t\u00a0][-/]p[ \t\u00a0]+"),
        argument(&format!("{NET}use"), r"[ \t\u00a0][^\r\n]*?/user:\S+[ \t\u00a0]+"),
        argument(&format!("{NET}use"), r#"(?:[ \t\u00a0]+[a-z*]:?)?[ \t\u00a0]+"?\\\\\S+[ \t\u00a0]+"#),
        argument(&format!("{NET}user"), r"[ \t\u00a0]+\S+[ \t\u00a0]+"),
        argument("/setcredentials", r"(?:[ \t\u00a0]+\S+){4}[ \t\u00a0]+"),
        place(
            r"(?:^|\s)(?:-u|--(?:proxy-)?user)",
            r#"(?:=|[ \t\u00a0]+)["']?[^\s:"'@]+:"#,
            Value::Of(r#"/?[^\s/"'][^\s"']*"#),
            None,
        ),
        place(
            STORED,
            r#"["']?[ \t\u00a0]*(?:[:=>(|]|[ \t\u00a0]|,[ \t\u00a0]*["'])"#,
            Value::Line,
            Some(FLAG),
        ),
        place(PASSWORD, r#"["']?[ \t\u00a0]*[:=\uff1a][ \t\u00a0]*"#, Value::Word, Some(FLAG)),
        place(PASSWORD, r#"["']?>"#, Value::Element, Some(FLAG)),
        place(PASSWORD, r"</t[dh]>[ \t\u00a0]*<td[^<>]{0,100}>", Value::Element, Some(FLAG)),
        place(PASSWORD, r"(?:\t+|[ \t\u00a0]+REG_\w+[ \t\u00a0]+)", Value::Word, Some(FLAG)),
        // A cell of a table in Markdown, to the line that ends it.
        place(PASSWORD, r"[ \t\u00a0]*\|[ \t\u00a0]*", Value::Of(r"[^\s|][^|\r\n]*\|"), Some(FLAG)),
        place(r"\bbearer", r"[ \t\u00a0]+", Value::Of("[A-Za-z0-9._~+/=-]{8,}"), None),
        place(
            "(?:access_token|validationKey|decryptionKey)",
            r#"["']?[ \t\u00a0]*[:=][ \t\u00a0]*"#,
            Value::Word,
            None,
        ),
        place(PASSWORD, r"[ \t\u00a0]+(?:is|ist|est)[ \t\u00a0]+", Value::Word, Some(SAID)),
        place("authorization", r#"["'\]]*[ \t\u00a0]*[:=][ \t\u00a0]*"#, Value::Line, None),
        place("cookie", r#"["']?[ \t\u00a0]*:[ \t\u00a0]*"#, Value::Line, None),
        // A password may hold the sign that ends it.
        place("://", "", Value::Of(r"[^/\\\s?#]+@"), None),
        place("", "", Value::Of(r#"\b[^\s:@/"'(=]{1,100}:[^\s:@/"']{1,300}@"#), None),
    ]
});

/// What is piped into the command that makes a secret of it: all that stands before its name.
const PIPED: &str = r#"(?:(")[^"\r\n]*"|(')[^'\r\n]*'|(?:^|[\s;=(])[^\s"'()$*/;|<>=-][^\s;|]*)([ \t\u00a0]*\|[ \t\u00a0]*ConvertTo-SecureString)"#;
const PIPED_HIDDEN: &str = "$1$2(hidden)$1$2$3";

/// The patterns of one place.
struct Finder {
    pattern: Regex,
    /// Whether what follows a name is no secret.
    none: Option<Regex>,
}

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("fixed pattern")
}

/// Hides what follows the name of a secret, and credentials inside a URL. Quotes stay where they are.
pub(crate) fn hide(text: &str) -> String {
    /// What tells of each place.
    static SIGNS: LazyLock<RegexSet> = LazyLock::new(|| {
        let signs = PLACES.iter().map(|place| format!("{MODE}{}", place.sign()));
        RegexSet::new(signs).expect("fixed patterns")
    });
    static PIPED_IN: LazyLock<Regex> = LazyLock::new(|| compiled(&format!("{MODE}{PIPED}")));
    let there = SIGNS.matches(text);
    let mut hidden = text.to_string();
    for (at, place) in PLACES.iter().enumerate().filter(|(at, _)| there.matched(*at)) {
        if at == 0 {
            hidden = PIPED_IN.replace_all(&hidden, PIPED_HIDDEN).into_owned();
        }
        hidden = place.hide(&hidden);
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines with a secret, and lines without one.
    const SECRETS: &str = include_str!("../../tests/facts/secrets.txt");
    const NONE: &str = include_str!("../../tests/facts/no-secrets.txt");

    #[test]
    fn secrets_are_hidden_and_nothing_else_is() {
        for line in SECRETS.lines() {
            assert!(line.contains("Geheim-4"), "{line}");
            let hidden = hide(line);
            assert!(!hidden.contains("Geheim-4") && hidden.contains("(hidden)"), "{hidden}");
            assert_eq!(hide(&hidden).matches("(hidden)").count(), hidden.matches("(hidden)").count());
        }
        for line in NONE.lines() {
            assert_eq!(hide(line), line);
        }
        assert!(!hide(&SECRETS.replace('\n', "\r\n")).contains("Geheim-4"));
        assert_eq!(hide(NONE), NONE);
    }
}
