//! What people may type for a model: each form is read as what it says, and everything else is refused in words.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    fs,
    path::{Component, Path},
};

use proptest::prelude::*;
use tempfile::TempDir;
use trillm_core::Coded;
use trillm_store::{Alias, AliasesFile, Digest, Error, FileName, HuggingFace, Names, Ollama, Pinned, Pypi, Reference};

fn parse(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The texts are refused, for a reason that has the words.
#[track_caller]
fn refused(words: &str, texts: &[&str]) {
    for text in texts {
        let error = Names::default().parse(text).expect_err(text);
        assert_eq!(error.code(), "invalid_reference", "{text:?}: {error}");
        assert!(error.to_string().contains(words), "{text:?}: {error}");
        assert!(error.to_string().len() < 1000, "{text:?}");
        let hint = error.hint().unwrap();
        for form in ["path", "hf:", "ollama:", "pypi:", "https://", "local:", "@sha256:"] {
            assert!(hint.contains(form), "{hint}");
        }
    }
}

/// The text is read, and printed in this way.
#[track_caller]
fn printed(text: &str, expected: &str) {
    let reference = parse(text);
    assert_eq!(reference.to_string(), expected);
    assert_eq!(parse(expected), reference);
}

fn hex(c: char) -> String {
    c.to_string().repeat(64)
}

// Each form.

#[test]
fn names_and_paths_are_told_apart() {
    assert_eq!(parse("smollm2"), Reference::Alias(Alias::find("smollm2").unwrap()));
    for path in ["./smollm2", "a/b", "model.gguf", "Model.GGUF", "/x", ".", "..", "src", "x.safetensors", "ü.onnx"] {
        assert_eq!(parse(path), Reference::Path(path.into()), "{path}");
    }
    for text in ["smolm2", "SmolLM2", "qwen", "-", "a:b", "model.bin", "huggingface:a"] {
        assert_eq!(Names::default().parse(text).unwrap_err().code(), "model_not_found", "{text}");
    }
    refused("empty", &["", "a\0b"]);
    refused("…\" is not a model reference", &[&"x/".repeat(5000)]);
    refused("8192 bytes", &[&"x".repeat(8193), &format!("hf:{}", "é".repeat(10_000))]);
}

#[test]
fn packages_are_read() {
    let pypi = |package: &str, version: Option<&str>, file: Option<&str>| {
        Reference::Pypi(Pypi { package: package.into(), version: version.map(Into::into), file: file.map(Into::into) })
    };
    assert_eq!(parse("pypi:a"), pypi("a", None, None));
    assert_eq!(parse("pypi:A_.b==1!2.0+x"), pypi("a-b", Some("1!2.0+x"), None));
    assert_eq!(parse("pypi:a==1:m/x.gguf"), pypi("a", Some("1"), Some("m/x.gguf")));
    assert_eq!(parse("pypi:a:m/"), pypi("a", None, Some("m/")));
    let names = ["pypi:", "pypi:-r", "pypi:a b", "pypi:a[x]", "pypi:a>=1", "pypi:ä"];
    refused("package name", &names);
    refused("one exact version", &["pypi:a==", "pypi:a==-1", "pypi:a==1;x", "pypi:a==1 --pre"]);
    refused("no file name", &["pypi:a==1:", "pypi:a:../x", "pypi:a:/etc/passwd", "pypi:a:b//", "pypi:a:*.gguf"]);
}

#[test]
fn repositories_are_read() {
    let hub = |repo: &str, revision: Option<&str>, file: Option<&str>| {
        let (revision, file) = (revision.map(Into::into), file.map(Into::into));
        Reference::HuggingFace(HuggingFace { repo: repo.into(), revision, file })
    };
    assert_eq!(parse("hf:gpt2"), hub("gpt2", None, None));
    assert_eq!(parse("hf:a-b/C_d.e-2"), hub("a-b/C_d.e-2", None, None));
    assert_eq!(parse("hf:a/b@refs/pr/1"), hub("a/b", Some("refs/pr/1"), None));
    assert_eq!(parse("hf:a/b:Q4_K_M"), hub("a/b", None, Some("Q4_K_M")));
    assert_eq!(parse("hf:a/b@v1.0:onnx/"), hub("a/b", Some("v1.0"), Some("onnx/")));
    assert_eq!(parse("hf:a/b@v1:x/y z@2.gguf"), hub("a/b", Some("v1"), Some("x/y z@2.gguf")));
    assert_eq!(parse("hf:a/b:*-[0-9]?.gguf"), hub("a/b", None, Some("*-[0-9]?.gguf")));
    parse(&format!("hf:a/{}@{}", "x".repeat(94), "r".repeat(255)));

    let long = format!("hf:a/{}", "x".repeat(95));
    let repos =
        ["hf:", "hf:/", "hf:a/", "hf:/b", "hf:a//b", "hf:a b/c", "hf:a/b/c", "hf:ä/b", "hf:a/b.git", "hf:a/b?x"];
    refused("organisation/name", &repos);
    refused(
        "organisation/name",
        &["hf:-a/b", "hf:a/b-", "hf:.a/b", "hf:a/b.", "hf:a--b/c", "hf:a/../b", "hf:..", &long],
    );
    let long = format!("hf:a/b@{}", "r".repeat(256));
    refused("a revision is", &["hf:a/b@", "hf:a/b@:x", "hf:a/b@-r", "hf:a/b@/r", "hf:a/b@r/", "hf:a/b@a..b", &long]);
    refused(
        "a revision is",
        &["hf:a/b@a b", "hf:a/b@a@{1}", "hf:a/b@@", "hf:a/b@ä", "hf:a/b@a~1", "hf:a/b@../x", "hf:a/b@a/.b"],
    );
    refused("no file name", &["hf:a/b:", "hf:a/b:/", "hf:a/b:../x", "hf:a/b:/x", "hf:a/b:x//y", "hf:a/b:x\\y"]);
    refused("no file name", &["hf:a/b:x:y", "hf:a/b:*/../x", "hf:a/b:x\n", "hf:a/b:x.", "hf:a/b:./x", "hf:a/b:a|b"]);
}

#[test]
fn registries_are_read() {
    let ollama = |host: Option<&str>, namespace: &str, name: &str, tag: &str| {
        let host = host.map(Into::into);
        Reference::Ollama(Ollama { host, namespace: namespace.into(), name: name.into(), tag: tag.into() })
    };
    assert_eq!(parse("ollama:qwen2.5"), ollama(None, "library", "qwen2.5", "latest"));
    assert_eq!(parse("ollama:qwen2.5:0.5b-Q4_K_M"), ollama(None, "library", "qwen2.5", "0.5b-Q4_K_M"));
    assert_eq!(parse("ollama:me/x:1"), ollama(None, "me", "x", "1"));
    assert_eq!(parse("ollama:hub.example/x"), ollama(Some("hub.example"), "library", "x", "latest"));
    assert_eq!(parse("ollama:hub.example/me/x:1"), ollama(Some("hub.example"), "me", "x", "1"));
    assert_eq!(parse("ollama:box/me/x"), ollama(Some("box"), "me", "x", "latest"));
    assert_eq!(parse("ollama:box:80/x:1"), ollama(Some("box:80"), "library", "x", "1"));
    assert_eq!(parse("ollama:localhost/x"), ollama(Some("localhost"), "library", "x", "latest"));
    assert_eq!(parse("ollama:127.0.0.1:5000/x"), ollama(Some("127.0.0.1:5000"), "library", "x", "latest"));
    assert_eq!(parse("ollama:[::1]:5000/me/x:1"), ollama(Some("[::1]:5000"), "me", "x", "1"));

    refused("a name has", &["ollama:", "ollama:me/", "ollama::1", "ollama:-x", "ollama:.x", "ollama:a b", "ollama:ä"]);
    refused("a tag has", &["ollama:x:", "ollama:x:-1", "ollama:x:a:b", "ollama:me/x:a b", "ollama:x:ä", "ollama:x:.."]);
    refused("a namespace has", &["ollama:/x", "ollama:h//x", "ollama:h/a/b/x", "ollama:h/../x", "ollama:-a/x"]);
    refused(
        "a host has",
        &["ollama:../x", "ollama:./x", "ollama:a@b/c/x", "ollama:a:x/b", "ollama:a:/b", "ollama:/a/x"],
    );
    refused("a name has", &[&format!("ollama:{}", "x".repeat(81))]);
    refused("a tag has", &[&format!("ollama:x:{}", "x".repeat(129))]);
}

#[test]
fn registries_are_printed_in_the_shortest_form() {
    for text in ["ollama:x", "ollama:x:1", "ollama:me/x", "ollama:h.org/x", "ollama:box/library/x", "ollama:[::1]/x"] {
        printed(text, text);
    }
    printed("ollama:library/x:latest", "ollama:x");
    printed("ollama:registry.ollama.ai/library/x:latest", "ollama:x");
    printed("ollama:Registry.Ollama.AI/me/x", "ollama:me/x");
    printed("ollama:H.org/library/x", "ollama:h.org/x");
    // A namespace that looks like a host.
    printed("ollama:registry.ollama.ai/my.org/x", "ollama:registry.ollama.ai/my.org/x");
    printed("ollama:registry.ollama.ai/localhost/x", "ollama:registry.ollama.ai/localhost/x");
}

#[test]
fn urls_are_read() {
    let url = |text: &str| match parse(text) {
        Reference::Url(url) => url,
        other => panic!("{text} is {other:?}"),
    };
    let file = |text: &str| url(text).file_name().to_string();
    assert_eq!(file("https://example.org/a/model.gguf"), "model.gguf");
    assert_eq!(file("https://example.org:8443/a%20b%C3%A9.gguf?token=a/b&x='1'"), "a bé.gguf");
    assert_eq!(file("https://example.org/resolve?x=1/model.gguf"), "resolve");
    assert_eq!(file("http://localhost:80/x"), "x");
    assert_eq!(file("http://127.1.2.3/x"), "x");
    assert_eq!(file("http://[::1]:80/x"), "x");
    assert_eq!(file(&format!("http://example.org/x#sha256={}", hex('a'))), "x");
    let with = url(&format!("https://EXAMPLE.org/X#sha256={}", hex('A')));
    assert_eq!((with.url.as_str(), with.sha256), ("https://example.org/X", Some(hex('a').parse().unwrap())));

    refused("percent-encoded", &["https://a/b c", "https://a/\"b\"", "https://a/<b>", "https://a\\b/c", "https://ä/b"]);
    refused("percent-encoded", &["https://a/b\n", "https://a/b\u{7f}", "https://a/\u{202e}b"]);
    refused(
        "user name or password",
        &["https://me@a/b", "https://me:secret@a/b", "https://@a/b", "http://127.0.0.1@a/b"],
    );
    refused(
        "a host has",
        &["https://", "https:///b", "https://a:x/b", "https://a..b/c", "https://[a]/b", "https://?/b"],
    );
    refused("sha256= and", &["https://a/b#", "https://a/b#x", "https://a/b#sha256=", "https://a/b#md5=0#sha256=0"]);
    refused(
        "sha256= and",
        &[&format!("https://a/b#sha256={}0", hex('a')), &format!("https://a/b#SHA256={}", hex('a'))],
    );
    refused(
        "name of a file",
        &["https://a", "https://a/", "https://a/b/", "https://a?b", "https://a/b%2Fc", "https://a/?/b"],
    );
    refused(
        "cannot be the name",
        &["https://a/..", "https://a/%2e%2e", "https://a/b%00", "https://a/b%5Cc", "https://a/C:"],
    );
    refused(
        "encodes no UTF-8",
        &["https://a/b%", "https://a/b%4", "https://a/b%zz", "https://a/b%ff", "https://a/%+1"],
    );
    refused("plain http", &["http://a/b", "http://localhost.a/b", "http://127.0.0.1.a/b", "http://10.0.0.1/b"]);
    refused("come from ftp://", &["ftp://a/b"]);
    refused("come from HTTPS://", &["HTTPS://a/b"]);
}

#[test]
fn names_of_what_was_imported_are_read() {
    for name in ["a", "A.b_c-1", "0", &"x".repeat(100)] {
        assert_eq!(parse(&format!("local:{name}")), Reference::Local(name.into()));
    }
    let long = format!("local:{}", "x".repeat(101));
    refused("after local:", &["local:", "local:.x", "local:-x", "local:_", "local:a/b", "local:a b", "local:ä", &long]);
}

// Generations.

#[test]
fn a_generation_is_named_by_its_whole_digest() {
    let pin = format!("@sha256:{}", hex('e'));
    let id: Digest = hex('e').parse().unwrap();
    for text in ["smollm2", "hf:a/b", "hf:a/b@v1:x.gguf", "ollama:x:1", "pypi:a==1", "https://a/b", "local:x"] {
        let pinned = Names::default().parse(&format!("{text}{pin}")).unwrap();
        assert_eq!(pinned, Pinned { reference: parse(text), generation: Some(id) });
        assert_eq!(pinned.to_string(), format!("{text}{pin}"));
    }
    let with = format!("https://a/b#sha256={}{pin}", hex('1'));
    assert_eq!(Names::default().parse(&with).unwrap().to_string(), with);

    refused("64 lower-case", &["smollm2@sha256:", "smollm2@sha256:abc", "hf:a/b@sha256:x/y", "./x@sha256:../x"]);
    refused(
        "64 lower-case",
        &[&format!("smollm2@sha256:{}", hex('E')), &format!("smollm2{pin}0"), &format!("hf:a/b{pin}:x")],
    );
    refused("path has no generations", &[&format!("./x{pin}"), &format!("x.gguf{pin}")]);
    refused("nothing before", &[&pin]);
    assert_eq!(Names::default().parse(&format!("nothing{pin}")).unwrap_err().code(), "model_not_found");
    assert_eq!(format!("smollm2{pin}").parse::<Reference>().unwrap_err().code(), "invalid_reference");
}

// The user's own names.

fn with_aliases(aliases: &[(&str, &str)]) -> Names {
    Names {
        aliases: aliases.iter().map(|(name, target)| ((*name).into(), (*target).into())).collect(),
        ..Names::default()
    }
}

#[test]
fn a_users_alias_is_what_it_stands_for() {
    let pinned = format!("hf:a/b@sha256:{}", hex('a'));
    let names = with_aliases(&[
        ("mine", "hf:a/b:Q8_0"),
        ("smollm2", "ollama:smollm2"),
        ("small", "all-minilm"),
        ("file", "/models/x.gguf"),
        ("src", "local:src"),
        ("pinned", &pinned),
    ]);
    for (text, expected) in [("mine", "hf:a/b:Q8_0"), ("small", "all-minilm"), ("file", "/models/x.gguf")] {
        assert_eq!(names.parse(text).unwrap().reference, parse(expected));
    }
    // They win over built-in aliases, and over files.
    assert_eq!(names.parse("smollm2").unwrap().to_string(), "ollama:smollm2");
    assert_eq!(names.parse("src").unwrap().to_string(), "local:src");
    assert_eq!(names.parse("./src").unwrap().reference, Reference::Path("./src".into()));
    // A generation may be in either, but not in both.
    assert_eq!(names.parse("pinned").unwrap().to_string(), pinned);
    let pin = format!("@sha256:{}", hex('b'));
    assert_eq!(names.parse(&format!("mine{pin}")).unwrap().to_string(), format!("hf:a/b:Q8_0{pin}"));
    for text in [format!("pinned{pin}"), format!("file{pin}")] {
        assert_eq!(names.parse(&text).unwrap_err().code(), "invalid_reference", "{text}");
    }
}

#[test]
fn a_users_alias_stands_for_a_source() {
    let pin = format!("b@sha256:{}", hex('a'));
    let names = with_aliases(&[
        ("chain", "b"),
        ("pinned chain", &pin),
        ("b", "smollm2"),
        ("loop", "loop"),
        ("bad", "hf:../x"),
        ("unknown", "smolm2"),
        ("relative", "./x.gguf"),
        ("home", "~/x.gguf"),
        ("empty", ""),
    ]);
    let cases = [
        ("chain", "so is"),
        ("pinned chain", "so is"),
        ("loop", "so is"),
        ("bad", "organisation/name"),
        ("unknown", "no model named"),
        ("relative", "whole path"),
        ("home", "whole path"),
        ("empty", "empty"),
    ];
    for (alias, words) in cases {
        let error = names.parse(alias).unwrap_err();
        assert_eq!(error.code(), "invalid_reference", "{alias}");
        let message = error.to_string();
        assert!(message.contains(words) && message.contains(&format!("\"{alias}\"")), "{message}");
    }
}

#[test]
fn what_is_wrong_with_a_file_of_aliases_is_told_to_those_whom_it_concerns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aliases.toml");
    fs::write(&path, "good = \"hf:a/b\"\nsmollm2 = 3\nlost =\n").unwrap();
    let names = Names { file: Some(AliasesFile { path: path.clone(), required: false }), ..Names::default() };
    // What needs no alias.
    let file = path.display().to_string();
    for text in [&*file, "./x", "a/b.gguf", "hf:a/b", "ollama:x", "pypi:x", "https://a/b", "local:x"] {
        assert!(names.look_up(text).unwrap().1.is_none(), "{text}");
    }
    // What is known, in spite of it.
    for (text, means) in [("good", "hf:a/b"), ("all-minilm", "all-minilm"), ("src", "src")] {
        let (found, problem) = names.look_up(text).unwrap();
        assert_eq!(found.to_string(), means);
        let problem = problem.unwrap();
        assert!(problem.to_string().contains("line 2"), "{problem}");
    }
    // What may be what is lost: its own line is told, else the first.
    for (text, line) in [("smollm2", "line 2"), ("lost", "line 3"), ("unknown", "line 2"), ("unknown.gguf", "line 2")] {
        let error = names.look_up(text).unwrap_err();
        assert_eq!(error.code(), "invalid_aliases", "{text}");
        assert!(error.to_string().contains(line), "{error}");
    }
}

#[test]
fn a_file_of_aliases_that_cannot_be_opened_concerns_names_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    // Below a file there is none, whoever asks.
    let file = AliasesFile { path: folder.path().join("file/aliases.toml"), required: false };
    let names = Names { file: Some(file), ..Names::default() };
    assert!(names.look_up("./x").unwrap().1.is_none());
    assert!(matches!(names.look_up("smollm2").unwrap().1, Some(Error::UnreadableAliases { .. })));
    let error = names.look_up("unknown").unwrap_err();
    assert_eq!(error.code(), "store_io");
    assert!(error.hint().unwrap().contains("TRILLM_ALIASES"));
    let denied = Error::UnreadableAliases { path: "x".into(), source: std::io::ErrorKind::PermissionDenied.into() };
    assert_eq!(denied.kind(), (trillm_core::Class::Store, "permission_denied"));
}

#[cfg(unix)]
#[test]
fn a_path_that_cannot_be_looked_at_is_not_one_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let itself = folder.path().join("loop");
    std::os::unix::fs::symlink(&itself, &itself).unwrap();
    let error = Reference::Path(itself).local().unwrap_err();
    assert_eq!(error.code(), "store_io", "{error}");
    fs::write(folder.path().join("file"), "").unwrap();
    for missing in ["none", "file/below", &"a".repeat(300)] {
        let error = Reference::Path(folder.path().join(missing)).local().unwrap_err();
        assert_eq!(error.code(), "model_not_found", "{error}");
    }
}

/// A user's folder of models.
fn models(files: &[&str]) -> (TempDir, Names) {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    let names = Names { models: Some(folder.path().into()), ..Names::default() };
    (folder, names)
}

#[test]
fn a_bare_name_may_be_in_the_folder_of_models() {
    let (folder, names) =
        models(&["tiny.gguf", "tiny.onnx", "folder/config.json", "x.safetensors", "smollm2", "old.bin"]);
    for (text, file) in [
        ("tiny", "tiny.gguf"),
        ("tiny.gguf", "tiny.gguf"),
        ("tiny.onnx", "tiny.onnx"),
        ("folder", "folder"),
        ("x", "x.safetensors"),
        ("old.bin", "old.bin"),
    ] {
        assert_eq!(names.parse(text).unwrap().reference, Reference::Path(folder.path().join(file)), "{text}");
    }
    // What is known everywhere, or is here, comes first; a file that is nowhere is a file.
    assert_eq!(names.parse("smollm2").unwrap().reference, parse("smollm2"));
    assert_eq!(names.parse("src").unwrap().reference, Reference::Path("src".into()));
    assert_eq!(names.parse("other.gguf").unwrap().reference, Reference::Path("other.gguf".into()));
    for text in ["old", "folder2", "config.json"] {
        assert_eq!(names.parse(text).unwrap_err().code(), "model_not_found", "{text}");
    }
    let alias = Names { aliases: [("mine".into(), "tiny".into())].into(), ..names };
    assert_eq!(alias.parse("mine").unwrap().reference, Reference::Path(folder.path().join("tiny.gguf")));
}

#[test]
fn an_unknown_name_is_answered_with_names_like_it() {
    let (_folder, mut names) = models(&["mistral-7b.Q4_K_M.gguf", ".hidden", "notes.txt"]);
    names.aliases.insert("work-horse".into(), "smollm2".into());
    for (text, close) in [
        ("smolm2", "smollm2"),
        ("SmolLM", "smollm2"),
        ("minilm", "all-minilm"),
        ("workhorse", "work-horse"),
        ("Mistral-7B", "mistral-7b.Q4_K_M"),
    ] {
        let hint = names.parse(text).unwrap_err().hint().unwrap();
        assert!(hint.contains(&format!("like it: {close}")), "{text}: {hint}");
    }
    let hint = names.parse("qqqq").unwrap_err().hint().unwrap();
    assert!(hint.contains("like it: all-minilm, mistral-7b.Q4_K_M, notes.txt, smollm2, work-horse;"), "{hint}");
    names.aliases.insert("smollm2".into(), "local:x".into());
    let hint = names.parse("smolm2").unwrap_err().hint().unwrap();
    assert_eq!(hint.matches("smollm2").count(), 1, "{hint}");
    let many: Vec<String> = (0..100).map(|number| format!("model{number}.gguf")).collect();
    let (_folder, names) = models(&many.iter().map(String::as_str).collect::<Vec<_>>());
    for text in ["model", "qqqq"] {
        assert!(names.parse(text).unwrap_err().hint().unwrap().split(';').next().unwrap().matches(", ").count() == 9);
    }
}

// What no list of cases covers.

fn option(pattern: &'static str) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(pattern)
}

const REPO: &str = "[A-Za-z0-9_]([A-Za-z0-9_.-]?[A-Za-z0-9_]){0,20}";
const PART: &str = "[A-Za-z0-9_][A-Za-z0-9._-]{0,60}";
const HOST: &str = "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\\.[a-z0-9]{1,9}){0,3}(:[1-9][0-9]{0,3})?|\\[::[1-9a-f]{1,4}\\](:[1-9][0-9]{0,3})?";

fn references() -> impl Strategy<Value = Reference> {
    let file = proptest::option::of(
        "([A-Za-z0-9é _@=*?\\[\\]-]{0,20}[A-Za-z0-9*]/){0,3}[A-Za-z0-9é_@.*?\\[\\]-]{0,20}[A-Za-z0-9*]/?",
    );
    let revision = option("[A-Za-z0-9_]([A-Za-z0-9_#+=,%-]|[./][A-Za-z0-9_]){0,40}");
    let hub = (REPO, option(REPO), revision, file)
        .prop_map(|(repo, second, revision, file)| HuggingFace {
            repo: second.map_or(repo.clone(), |second| format!("{repo}/{second}")),
            revision,
            file,
        })
        .prop_map(Reference::HuggingFace);
    let default = |value: &'static str, pattern: &'static str| prop_oneof![Just(value.to_owned()), pattern];
    let ollama = (option(HOST), default("library", PART), PART, default("latest", PART))
        .prop_map(|(host, namespace, name, tag)| Ollama { host, namespace, name, tag })
        .prop_map(Reference::Ollama);
    let pypi =
        ("[a-z0-9](-?[a-z0-9]){0,20}", option("[0-9][0-9a-z.!+_-]{0,9}"), option("([a-z]{1,9}/){0,2}[a-z.]{0,9}f/?"))
            .prop_map(|(package, version, file)| Pypi { package, version, file })
            .prop_map(Reference::Pypi);
    let url = (
        HOST,
        "(/[A-Za-z0-9._~@:+%'-]{0,0}[A-Za-z0-9._~@+'-]{1,20}){0,3}",
        "[A-Za-z0-9._~%]{0,0}[A-Za-z0-9@+'_-]{1,20}",
    )
        .prop_flat_map(|url| (Just(url), option("[A-Za-z0-9._~@:+/?=&%-]{0,40}"), option("[0-9a-f]{64}")))
        .prop_map(|((host, path, file), query, sha256)| {
            let query = query.map_or(String::new(), |query| format!("?{query}"));
            let sha256 = sha256.map_or(String::new(), |sha256| format!("#sha256={sha256}"));
            parse(&format!("https://{host}{path}/{file}{query}{sha256}"))
        });
    let local = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}".prop_map(Reference::Local);
    let path = "(\\.{0,2}/)[^\0]{0,60}".prop_map(|path| Reference::Path(path.into()));
    let alias = Just(Reference::Alias(Alias::find("smollm2").unwrap()));
    prop_oneof![hub, ollama, pypi, url, local, path, alias]
}

/// Texts of references, with some characters changed, added or left out.
fn mutated() -> impl Strategy<Value = String> {
    let change = (
        any::<prop::sample::Index>(),
        0..3_u8,
        prop_oneof![any::<char>(), prop::sample::select("@:/.#%?*[]-".chars().collect::<Vec<_>>())],
    );
    (references(), proptest::collection::vec(change, 0..4)).prop_map(|(reference, changes)| {
        let mut text: Vec<char> = reference.to_string().chars().collect();
        for (place, what, with) in changes {
            let place = place.index(text.len() + 1);
            match what {
                0 => text.insert(place, with),
                1 if place < text.len() => text[place] = with,
                _ if place < text.len() => drop(text.remove(place)),
                _ => {}
            }
        }
        text.into_iter().collect()
    })
}

/// Reads the text: whatever is read is read again from how it prints, and whatever is not has a typed error.
fn read_or_refused(names: &Names, text: &str) -> Result<(), TestCaseError> {
    match names.parse(text) {
        Ok(pinned) => {
            let printed = pinned.to_string();
            let again = names.parse(&printed);
            prop_assert_eq!(again.map_err(|error| format!("{printed:?}: {error}")), Ok(pinned));
        }
        Err(error) => {
            prop_assert!(["invalid_reference", "model_not_found"].contains(&error.code()), "{}", error);
            prop_assert!(error.hint().is_some());
        }
    }
    Ok(())
}

/// `TRILLM_ROUNDS` asks for more.
fn config() -> ProptestConfig {
    let rounds = std::env::var("TRILLM_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    ProptestConfig { cases: rounds.unwrap_or(2000), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn printing_and_reading_agree(reference in references(), generation in option("[0-9a-f]{64}")) {
        let pinned = Pinned { reference, generation: generation.map(|hex| hex.parse().unwrap()) };
        let read = Names::default().parse(&pinned.to_string());
        match &pinned.reference {
            // A path that ends like a generation is refused, as is one that is given a generation.
            Reference::Path(path) if pinned.generation.is_some() || path.to_string_lossy().contains("@sha256:") => {
                prop_assert!(read.is_err());
            }
            _ => prop_assert_eq!(read.map_err(|error| error.to_string()), Ok(pinned)),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), known in any::<String>(), target in any::<String>()) {
        let names = Names { aliases: [(known.clone(), target), ("a".into(), text.clone())].into(), models: Some(".".into()), file: None };
        for text in [&text, &known, "a"] {
            read_or_refused(&names, text)?;
        }
    }

    #[test]
    fn a_reference_with_mistakes_is_read_or_refused(text in mutated()) {
        read_or_refused(&Names::default(), &text)?;
        read_or_refused(&Names { aliases: [("a".into(), text)].into(), ..Names::default() }, "a")?;
    }
}

// E1 of the threats: names from strangers.

/// What names that mean to leave their folder are made of.
const HOSTILE: [&str; 64] = [
    "..",
    ".",
    "/",
    "//",
    "\\",
    "\\\\",
    "../",
    "..\\",
    "./",
    "/..",
    "~",
    "~root",
    "$HOME",
    "%2e%2e%2f",
    "%2e",
    "%5c",
    "%00",
    "\0",
    "\n",
    "\r\n",
    "\t",
    "\u{7f}",
    "\u{85}",
    "C:",
    "C:\\",
    "c:/",
    "\\\\server\\share",
    "//server/share",
    "\\\\?\\",
    "\\\\.\\",
    "file:///",
    "CON",
    "nul.txt",
    "AUX",
    "COM1",
    "a:stream",
    "::$DATA",
    "*",
    "?",
    "\"",
    "<",
    ">",
    "|",
    "...",
    ". .",
    ".. ",
    " ",
    "\u{2024}\u{2024}",
    "\u{ff0e}\u{ff0e}",
    "\u{2215}",
    "\u{ff0f}",
    "\u{29f5}",
    "\u{202e}",
    "\u{feff}",
    "e\u{301}",
    "\u{e9}",
    "a",
    "etc",
    "passwd",
    "model.gguf",
    "x",
    "blobs",
    "sha256-",
    "..;",
];

#[test]
fn of_a_hundred_thousand_hostile_names_none_escapes() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("a/b/root");
    fs::create_dir_all(&root).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        // Xorshift, so that a failure can be had again.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut accepted, mut written) = (0, 0);
    for _ in 0..100_000 {
        let name: String = (0..=random(5)).map(|_| HOSTILE[random(HOSTILE.len())]).collect();
        let Ok(name) = name.parse::<FileName>() else { continue };
        accepted += 1;
        let path = root.join(&name);
        let inside = path.strip_prefix(&root).unwrap_or_else(|_| panic!("{name} leaves its folder"));
        assert!(inside.components().all(|part| matches!(part, Component::Normal(_))), "{name}");
        assert_eq!(inside.components().count(), name.as_str().split('/').count(), "{name}");
        assert!(!name.as_str().contains(['\\', ':', '\0']), "{name} means something else to Windows");
        // On a real disk, too: what one of these names makes is nowhere but in the folder.
        if written < 2000 && fs::create_dir_all(path.parent().unwrap()).is_ok() && fs::write(&path, b"").is_ok() {
            written += 1;
            assert!(path.canonicalize().unwrap().starts_with(root.canonicalize().unwrap()), "{name}");
        }
    }
    assert!(accepted > 10_000, "only {accepted} names got so far");
    assert!(written > 500, "only {written} files were made");
    let only = |folder: &Path, name: &str| {
        let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [name], "in {}", folder.display());
    };
    only(outer.path(), "a");
    only(&outer.path().join("a"), "b");
    only(&outer.path().join("a/b"), "root");
}

#[test]
fn a_repository_without_its_source_is_told_how_to_be_named() {
    let hint = |text: &str| parse(text).local().unwrap_err().hint().unwrap();
    for (text, reference) in [
        ("someone/some-model", "hf:someone/some-model"),
        ("someone/some.model@main:model.gguf", "hf:someone/some.model@main:model.gguf"),
        ("hf.co/someone/some-model:Q8_0", "hf:someone/some-model:Q8_0"),
    ] {
        assert!(
            hint(text).starts_with(&format!("for the repository on the Hugging Face hub give {reference};")),
            "{text}"
        );
    }
    for text in
        ["./someone/model", "/someone/model", "a/b/c", "../model", "some folder/model", "model.gguf", "models/x.gguf"]
    {
        assert!(hint(text).starts_with("check the path"), "{text}");
    }
}
