//! The script that collects where a strange program may not run: PowerShell's grammar takes it, and it reads what the
//! program reads. No PowerShell is here to run it.

use tree_sitter::{Node, Parser};

fn script() -> String {
    wsusprobe::collect::script()
}

fn errors<'t>(node: Node<'t>, found: &mut Vec<Node<'t>>) {
    if node.is_error() || node.is_missing() {
        found.push(node);
    }
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        errors(child, found);
    }
}

fn wrong(text: &str) -> Vec<String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("the grammar fits the library");
    let tree = parser.parse(text, None).expect("a tree");
    let mut found = Vec::new();
    errors(tree.root_node(), &mut found);
    found
        .iter()
        .map(|node| {
            let row = node.start_position().row;
            format!("{}: {}", row + 1, text.lines().nth(row).unwrap_or_default())
        })
        .collect()
}

#[test]
fn the_grammar_takes_the_script() {
    assert_eq!(wrong(&script()), Vec::<String>::new());
}

#[test]
fn the_grammar_does_not_take_everything() {
    for broken in ["if ($a { }", "function f { ", "$x = @{ a = 1", "foreach (.. of ..) { }"] {
        assert!(!wrong(broken).is_empty(), "{broken}");
    }
}

/// What is newer than PowerShell 3.0, and what changes something.
#[test]
fn it_keeps_to_what_a_2012_has_and_changes_nothing() {
    let text = script();
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    for newer in ["?.", "??", "&&", "||", "Get-Clipboard", "-Raw", "ForEach-Object -Parallel"] {
        assert!(!code.iter().any(|line| line.contains(newer)), "{newer}");
    }
    for changes in [
        "Set-",
        "Remove-",
        "Restart-",
        "Stop-",
        "Start-",
        "Save()",
        "New-Item",
        "StartSynchronization",
        "iisreset",
    ] {
        assert!(!code.iter().any(|line| line.contains(changes)), "{changes}");
    }
    // Newer than Windows Server 2012: asked for before it is called.
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}"));
    assert!(at("Get-Command Get-TlsCipherSuite") < at("Get-TlsCipherSuite | "));
    assert!(at("Get-Command Get-WsusServer") < at("return Get-WsusServer"));
}

/// Windows keeps the key of its licence beside its name.
#[test]
fn it_asks_for_named_values_where_a_key_of_a_licence_lies() {
    let asked = script();
    let lines: Vec<&str> = asked.lines().filter(|line| line.contains(r"Windows NT\CurrentVersion")).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("'/v'")), "{lines:?}");
}

#[test]
fn it_never_asks_for_a_password() {
    let asked = script();
    let lines: Vec<&str> = asked.lines().filter(|line| line.contains("Password")).collect();
    assert!(
        lines.iter().all(|line| line.contains("HasProxyPassword")
            || line.contains("hidden")
            || line.trim_start().starts_with('#')),
        "{lines:?}"
    );
}

/// The script's own way to hide a secret, carried out: its replacements are .NET's, which this library understands too.
fn hide(text: &str) -> String {
    let script = script();
    let function = script.split_once("function Hide-Secret").expect("the function").1;
    let function = function.split_once("\n}").expect("its end").0;
    let literal = |text: &str| text.trim().trim_matches('\'').replace("''", "'");
    let variable = |name: &str| {
        let set = function.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(" = "));
        literal(set.expect("a variable that is set"))
    };
    let mut text = text.to_string();
    let mut replaced = 0;
    for line in function.lines() {
        let Some((_, rest)) = line.split_once(" -replace ") else { continue };
        let (pattern, with) = rest.rsplit_once(", ").expect("a pattern and what takes its place");
        let pattern: String = pattern
            .trim_matches(['(', ')'])
            .split(" + ")
            .map(|part| if part.starts_with('$') { variable(part) } else { literal(part) })
            .collect();
        let with = literal(with).replace("$1", "${1}");
        let pattern = fancy_regex::Regex::new(&pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        text = pattern.replace_all(&text, with.as_str()).into_owned();
        replaced += 1;
    }
    assert_eq!(replaced, 5);
    text
}

#[test]
fn it_hides_secrets_and_leaves_the_rest() {
    for (line, hidden) in [
        ("ProxyPassword    : s3cret word", "ProxyPassword    :(hidden)"),
        ("<add password=\"s3cret\" user=\"u\"/>", "<add password=\"(hidden)\" user=\"u\"/>"),
        ("Pwd=s3cret;Server=x", "Pwd=(hidden);Server=x"),
        ("password: Trueblue", "password: (hidden)"),
        ("Kennwort: True-love", "Kennwort: (hidden)"),
        ("Cookie: abc def", "Cookie: (hidden)"),
        ("http://u:s3cret@proxy:8080/", "http://(hidden)@proxy:8080/"),
    ] {
        assert_eq!(hide(line), hidden);
    }
    let list = include_str!("../probe/tests/facts/config-list.txt");
    assert!(list.contains("HasProxyPassword"));
    for (line, after) in list.lines().zip(hide(list).lines()) {
        let secret = line.starts_with("ProxyPassword") || line.starts_with("EncryptionKey");
        assert_eq!(secret, line != after, "{after}");
    }
    for line in
        ["HasProxyPassword : False", "\"HasProxyPassword\":  true,", "<B N=\"HasProxyPassword\">true</B>"]
    {
        assert_eq!(hide(line), line);
    }
}

#[test]
fn it_can_be_read_before_it_is_run() {
    for line in script().lines() {
        assert!(line.chars().count() <= 150, "{line}");
    }
}

/// A culture writes a time with separators and a calendar of its own, unless told not to.
#[test]
fn no_time_is_written_in_the_manner_of_a_language() {
    let text = script();
    let formats = ["yyyy", "HH:", ":mm"];
    for line in text.lines().filter(|line| formats.iter().any(|format| line.contains(format))) {
        assert!(line.contains("InvariantCulture"), "{line}");
    }
}
