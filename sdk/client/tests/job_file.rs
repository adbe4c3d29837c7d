//! `job.toml`: what is understood, and where the finger is put on what is not.
use dugnad_client::{Error, Input, JobFile, LINE_BYTES_MAX, Profile, UnitSource};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A directory with `x.wasm`, `m.wasm` and this job file.
fn written(job: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for module in ["x.wasm", "m.wasm"] {
        fs::write(dir.path().join(module), module).unwrap();
    }
    fs::write(dir.path().join("job.toml"), job).unwrap();
    dir
}

fn spec(dir: &Path) -> Result<dugnad_client::JobSpec, Error> {
    JobFile::read(dir.join("job.toml"))?.spec()
}

fn inputs(units: UnitSource) -> Vec<Result<Input, Error>> {
    match units {
        UnitSource::Count(count) => panic!("{count} units without inputs"),
        UnitSource::Inputs(inputs) => inputs.collect(),
    }
}

#[test]
fn every_key_is_understood() {
    let dir = written(
        r#"
        name = "all"
        module = "x.wasm"
        seed = 7
        args = ["--deep", "2"]
        profile = "quorum=3"
        [env]
        DEPTH = "3"
        [limits]
        fuel = 1_000
        memory_mib = 64
        output_bytes = 0
        [units]
        count = 12
        [merge]
        module = "m.wasm"
        "#,
    );
    let spec = spec(dir.path()).unwrap();
    assert_eq!((spec.name.as_str(), spec.seed), ("all", 7));
    assert_eq!(spec.module, Input::File(dir.path().join("x.wasm")));
    assert_eq!(spec.merge, Some(Input::File(dir.path().join("m.wasm"))));
    assert_eq!(spec.args, ["--deep", "2"]);
    assert_eq!(spec.env["DEPTH"], "3");
    assert_eq!(spec.profile, Some(Profile::Quorum(3)));
    let limits = spec.limits;
    assert_eq!(
        (limits.fuel, limits.memory_mib, limits.output_bytes),
        (Some(1_000), Some(64), Some(0))
    );
    assert!(matches!(spec.units, UnitSource::Count(12)), "{:?}", spec.units);
    assert!(!spec.again);
}

#[test]
fn a_job_that_names_no_profile_leaves_it_to_the_node() {
    let dir = written("name = 'p'\nmodule = 'x.wasm'\nunits.count = 7\n");
    assert_eq!(spec(dir.path()).unwrap().profile, None);
    for (open, units, profile) in [
        (false, 1_000_000, Profile::Quorum(2)),
        (true, 999, Profile::Rechecked(2, 10)),
        (true, 1_000, Profile::Audited(100_000)),
    ] {
        assert_eq!(Profile::unsaid(open, units), profile, "{open}, {units}");
    }
}

#[test]
fn a_profile_is_read_as_it_is_written_and_nothing_else_is_one() {
    for text in ["quorum=1", "quorum=8", "quorum=2+10%", "quorum=3+100%", "checked"] {
        let profile: Profile = text.parse().unwrap();
        assert_eq!(profile.to_string(), text);
    }
    for text in
        ["quorum=9", "quorum=2+", "quorum=2+10", "quorum=2+0%", "quorum=2+101%", "quorum=+10%"]
    {
        let refused = text.parse::<Profile>().unwrap_err().to_string();
        assert!(refused.contains("quorum=N+P%"), "{text}: {refused}");
    }
}

#[test]
fn units_are_counted_before_anything_is_sent() {
    let units = |units: &str| {
        let dir = written(&format!("name = 'c'\nmodule = 'x.wasm'\n[units]\n{units}\n"));
        fs::write(dir.path().join("in.txt"), "one\n\nthree").unwrap();
        spec(dir.path()).unwrap().units.count().unwrap()
    };
    assert_eq!(units("count = 12"), 12);
    assert_eq!(units("lines = 'in.txt'"), 3);
    assert_eq!(units("files = '*.wasm'"), 2);
    assert_eq!(units("range = '5-9'"), 5);
    assert_eq!(units("grid = { a = [1, 2, 3], b = [true, false] }"), 6);
}

#[test]
fn files_are_sorted_by_name_and_directories_left_out() {
    let dir = written("name = 'f'\nmodule = 'x.wasm'\nunits.files = 'in[1]/*.dat'\n");
    // The brackets are a pattern in the job file, but not in the name of its directory.
    let within = dir.path().join("[odd]");
    fs::create_dir_all(within.join("in1/sub.dat")).unwrap();
    for name in ["x.wasm", "job.toml"] {
        fs::copy(dir.path().join(name), within.join(name)).unwrap();
    }
    for name in ["b.dat", "a.dat", "B.dat", "c.txt", "10.dat", "9.dat"] {
        fs::write(within.join("in1").join(name), name).unwrap();
    }
    let found = inputs(spec(&within).unwrap().units);
    let names: Vec<String> = found
        .into_iter()
        .map(|input| match input.unwrap() {
            Input::File(path) => path.file_name().unwrap().to_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["10.dat", "9.dat", "B.dat", "a.dat", "b.dat"]);
}

#[test]
fn a_grid_of_parameters_is_every_combination_as_a_line_of_json() {
    let texts = |units: &str| -> Vec<String> {
        let dir = written(&format!("name = 'g'\nmodule = 'x.wasm'\n[units]\n{units}\n"));
        let found = inputs(spec(dir.path()).unwrap().units).into_iter();
        found
            .map(|input| match input.unwrap() {
                Input::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let grid = texts("grid = { rule = [\"a\", '\"b'], depth = [1, 2.5], \"on top\" = [true] }");
    assert_eq!(
        grid,
        [
            "{\"depth\":1,\"on top\":true,\"rule\":\"a\"}\n",
            "{\"depth\":1,\"on top\":true,\"rule\":\"\\\"b\"}\n",
            "{\"depth\":2.5,\"on top\":true,\"rule\":\"a\"}\n",
            "{\"depth\":2.5,\"on top\":true,\"rule\":\"\\\"b\"}\n",
        ]
    );
    for line in grid {
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
    }
    assert_eq!(texts("range = '98-101'"), ["98\n", "99\n", "100\n", "101\n"]);
}

#[test]
fn a_command_for_units_is_run_once_beside_its_file() {
    let command = "[units]\ncommand = ['sh', '-c', 'echo run >> runs; printf \"one\\ntwo\"']\n";
    let dir = written(&format!("name = 'c'\nmodule = 'x.wasm'\n{command}"));
    let file = JobFile::read(dir.path().join("job.toml")).unwrap();
    assert_eq!(file.spec().unwrap().units.count().unwrap(), 2);
    let lines = inputs(file.spec().unwrap().units);
    let lines: Vec<Input> = lines.into_iter().map(Result::unwrap).collect();
    assert_eq!(lines, [Input::Bytes(b"one".into()), Input::Bytes(b"two".into())]);
    assert_eq!(fs::read_to_string(dir.path().join("runs")).unwrap(), "run\n");
}

#[test]
fn what_a_job_is_for_is_read_and_bounded() {
    let dir = written(
        "name = 'a'\nmodule = 'x.wasm'\ndescription = 'counts'\ntags = ['maths', 'p-1']\n\
         license = 'CC0-1.0'\ncontact = 'a@a.example'\nunits.count = 1\n",
    );
    let about = spec(dir.path()).unwrap().about;
    assert_eq!((about.description.as_str(), about.licence.as_str()), ("counts", "CC0-1.0"));
    assert_eq!(
        (about.tags, about.contact.as_str()),
        (vec!["maths".into(), "p-1".into()], "a@a.example")
    );
}

#[test]
fn a_line_is_its_bytes_without_its_end() {
    let dir = written("name = 'l'\nmodule = 'x.wasm'\n[units]\nlines = 'in.txt'\n");
    let lines = |text: &[u8]| {
        fs::write(dir.path().join("in.txt"), text).unwrap();
        let lines = inputs(spec(dir.path()).unwrap().units);
        lines
            .into_iter()
            .map(|input| match input.unwrap() {
                Input::Bytes(bytes) => bytes,
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    let wide = b"a\n\nb\r\n\xff \nlast\r";
    assert_eq!(lines(wide), [&b"a"[..], b"", b"b", b"\xff ", b"last\r"]);
    assert_eq!(lines(b"a\n"), [b"a"]);
    assert!(lines(b"").is_empty());

    let endless = [b"ok\n", &vec![b'x'; LINE_BYTES_MAX + 1][..]].concat();
    fs::write(dir.path().join("in.txt"), endless).unwrap();
    let UnitSource::Inputs(mut lines) = spec(dir.path()).unwrap().units else { unreachable!() };
    lines.next().unwrap().unwrap();
    let error = lines.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("in.txt:2: the line is over"), "{error}");
}

#[test]
fn a_mistake_is_named_with_its_line() {
    let head = "name = 'n'\nmodule = 'x.wasm'\n";
    let wrong = [
        // (what follows the head, the line, a word of the problem)
        ("sead = 1\n[units]\ncount = 1\n", 3, "unknown field `sead`"),
        ("[units]\ncount = 1\nfile = 'x'\n", 5, "unknown field `file`"),
        ("[limits]\nfuell = 1\n[units]\ncount = 1\n", 4, "unknown field `fuell`"),
        ("[merge]\nmodule = 'm.wasm'\nx = 1\n[units]\ncount = 1\n", 5, "unknown field `x`"),
        ("[limits]\nfuel = 0\n[units]\ncount = 1\n", 4, "nonzero"),
        ("[limits]\nmemory_mib = -1\n[units]\ncount = 1\n", 4, "-1"),
        ("[limits]\nmemory_mib = 5_000_000_000\n[units]\ncount = 1\n", 4, "5000000000"),
        ("profile = 'quorum=9'\n[units]\ncount = 1\n", 3, "quorum=N"),
        ("profile = 'audited=2'\n[units]\ncount = 1\n", 3, "audited=E"),
        ("profile = 'checked=2'\n[units]\ncount = 1\n", 3, "quorum=N"),
        ("seed = 'x'\n[units]\ncount = 1\n", 3, "expected u64"),
        ("args = 'x'\n[units]\ncount = 1\n", 3, "expected a sequence"),
        ("[env]\nA = 1\n[units]\ncount = 1\n", 4, "expected a string"),
        ("[units]\ncount = 0\n", 4, "nonzero"),
        ("[units]\n", 3, "exactly one of"),
        ("[units]\ncount = 1\nlines = 'in.txt'\n", 3, "exactly one of"),
        ("[units]\nfiles = 'none/*.dat'\n", 4, "no file fits"),
        ("[units]\nfiles = 'a[/*.dat'\n", 4, "no pattern"),
        ("[merge]\nmodule = 'no.wasm'\n[units]\ncount = 1\n", 4, "there is no file"),
        ("[units]\nlines = 'no.txt'\n", 4, "there is no file"),
        ("name = 'again'\n", 3, "duplicate key"),
        ("[units]\nrange = '9-5'\n", 4, "\"100-199\""),
        ("[units]\nrange = '0-99999999999'\n", 4, "over 10000000 units"),
        ("[units]\ngrid = {}\n", 4, "wants parameters"),
        ("[units]\ngrid = { a = 1 }\n", 4, "a is no list"),
        ("[units]\ngrid = { a = [[1]] }\n", 4, "a is no list"),
        ("[units]\ncommand = []\n", 4, "expected a program"),
        ("[units]\ncommand = ['false']\n", 4, "false: it ended with"),
        ("[units]\ncommand = ['no such program']\n", 4, "no such program: "),
        ("tags = ['A']\n[units]\ncount = 1\n", 3, "small letters"),
        (
            "tags = ['1','2','3','4','5','6','7','8',\n'9']\n[units]\ncount = 1\n",
            4,
            "at most 8 tags",
        ),
        ("contact = \"a\\nb\"\n[units]\ncount = 1\n", 3, "no control characters"),
        ("[units\n", 3, ""),
        ("", 1, "missing field `units`"),
    ];
    for (tail, line, word) in wrong {
        let dir = written(&format!("{head}{tail}"));
        match spec(dir.path()) {
            Err(Error::JobFile(error)) => {
                assert_eq!(error.line, line, "{tail:?}: {error}");
                let text = error.to_string();
                assert!(text.contains(word), "{tail:?}: {text}");
                assert!(text.contains(&format!("job.toml:{line}:")), "{text}");
            }
            other => panic!("{tail:?} came to {other:?}"),
        }
    }
}

#[test]
fn what_is_no_job_file_is_refused_by_name() {
    let dir = written("");
    let read = |bytes: &[u8]| {
        fs::write(dir.path().join("job.toml"), bytes).unwrap();
        spec(dir.path()).unwrap_err().to_string()
    };
    assert!(read(b"name = '\xff'").contains("job.toml: "));
    let endless = format!("# {}\n", "x".repeat(1 << 20));
    assert!(read(endless.as_bytes()).contains("at most 1048576 bytes"));
    fs::remove_file(dir.path().join("job.toml")).unwrap();
    assert!(spec(dir.path()).unwrap_err().to_string().contains("job.toml: No such file"));
}
