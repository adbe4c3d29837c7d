//! Facts about options: who wins, what is refused and where, what every option can be set by.
use super::*;
use clap::{Args, Parser};
use std::{fs, path::Path, process::Command};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: RunOptions,
}

fn options(flags: &[&str]) -> RunOptions {
    Line::try_parse_from([&["run"], flags].concat()).unwrap().options
}

fn write(dir: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn refused(flags: &[&str]) -> String {
    options(flags).resolve().unwrap_err().to_string()
}

fn invite(network_key: Option<[u8; 32]>) -> String {
    let addresses = vec!["/ip4/10.0.0.1/tcp/4001".into()];
    let peer = coordinator_free_scheduler::PeerKey([1; 32]);
    Invite { addresses, peer, network_key, expires_unix_s: u64::MAX }.encode().unwrap()
}

/// A value of every option but `config`, as text.
fn one_of_each() -> Vec<(&'static str, String)> {
    [
        ("data_dir", "/data"),
        ("listen", "/ip4/127.0.0.1/tcp/1"),
        ("bootstrap", "/ip4/127.0.0.1/tcp/2"),
        ("cores", "3"),
        ("memory_mib", "256"),
        ("no_mdns", "true"),
        ("network_key", "/key"),
        ("work_factor", "7"),
        ("api", "127.0.0.1:4"),
        ("metrics", "0.0.0.0:5"),
        ("log", "dugnad=debug"),
        ("lie_share", "0.25"),
        ("lie_seed", "6"),
        ("exit_with_stdin", "true"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into_iter()
    .chain([("join", invite(None))])
    .collect()
}

/// One option in TOML: a list, a number, a truth value or a string.
fn in_toml(name: &str, value: &str) -> String {
    match name {
        "listen" | "bootstrap" => format!("{name} = [\"{value}\"]\n"),
        "cores" | "memory_mib" | "work_factor" | "no_mdns" | "lie_share" | "lie_seed"
        | "exit_with_stdin" => {
            format!("{name} = {value}\n")
        }
        _ => format!("{name} = \"{value}\"\n"),
    }
}

#[test]
fn every_option_is_a_flag_a_variable_and_a_key_with_the_same_meaning() {
    let dir = tempfile::tempdir().unwrap();
    let command = RunOptions::augment_args(clap::Command::new("run"));
    for argument in command.get_arguments() {
        let long = argument.get_long().unwrap();
        let variable = format!("DUGNAD_{}", long.replace('-', "_").to_uppercase());
        assert_eq!(argument.get_env().unwrap().to_str().unwrap(), variable);
    }
    let values = one_of_each();
    assert_eq!(command.get_arguments().count(), values.len() + 1, "but for --config");
    for (name, value) in values {
        let flag = format!("--{}={value}", name.replace('_', "-"));
        let file = write(dir.path(), "run.toml", in_toml(name, &value));
        let (by_flag, by_file) = (options(&[&flag]), file::read(file.as_ref()).unwrap());
        assert_eq!(format!("{by_flag:?}"), format!("{by_file:?}"), "{name}");
        assert_ne!(format!("{by_flag:?}"), format!("{:?}", options(&[])), "{name}");
        assert_eq!(
            format!("{:?}", options(&[]).over(by_file)),
            format!("{by_flag:?}"),
            "{name} is taken over"
        );
    }
}

#[test]
fn nothing_said_means_the_documented_defaults() {
    let config = options(&[]).resolve().unwrap();
    assert_eq!(config.listen, ["/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"]);
    assert_eq!((config.api.to_string().as_str(), config.metrics), ("127.0.0.1:0", None));
    assert!(config.mdns && config.bootstrap.is_empty() && config.network_key.is_none());
    assert!(config.cores >= 1 && config.lies.is_none() && !config.exit_with_stdin);
    assert!(config.data_dir.ends_with(".local/share/dugnad"));
    assert_eq!(options(&["--cores", "0"]).resolve().unwrap().cores, 0);
    assert!(!options(&["--no-mdns"]).resolve().unwrap().mdns);
    let flags = ["--listen", "/a/1", "/a/2", "--no-mdns", "--listen", "/a/3,/a/4"];
    assert_eq!(options(&flags).resolve().unwrap().listen, ["/a/1", "/a/2", "/a/3", "/a/4"]);
}

const CHILD: &str = "DUGNAD_TEST_CONFIG_FLAGS";

#[test]
#[ignore = "started by the test below, in an environment of its own"]
fn prints_what_its_flags_and_environment_come_to() {
    let Ok(flags) = std::env::var(CHILD) else { return };
    let config = options(&flags.split_whitespace().collect::<Vec<_>>()).resolve().unwrap();
    let RunConfig { cores, listen, log, mdns, lies, .. } = config;
    println!("\ngot {cores} {listen:?} {log} {mdns} {:?}", lies.map(|lies| lies.seed));
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let text = "listen = ['/file/1', '/file/2']\ncores = 5\nlog = 'debug'\nno_mdns = true\nlie_share = 1\n";
    let file = write(dir.path(), "run.toml", text);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "config::tests::prints_what_its_flags_and_environment_come_to"])
        .args(["--ignored", "--nocapture"])
        .env(CHILD, "--cores 7 --lie-seed 9")
        .env("DUGNAD_CONFIG", file)
        .env("DUGNAD_CORES", "6")
        .env("DUGNAD_LISTEN", "/env/1,/env/2,/env/3")
        .env("DUGNAD_NO_MDNS", "no")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = r#"got 7 ["/env/1", "/env/2", "/env/3"] debug true Some(9)"#;
    assert!(text.contains(expected), "{text}");
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let expired = invite(None).replace("dugnad1", "dugnad1a");
    let cases = [
        ("cores = 2\nlisten_on = []\n", 2, "listen_on"),
        ("\n\ncores = 5_000\n", 3, "0 to 1024"),
        ("cores = \"all\"\n", 1, "i64"),
        ("# of a list\nlisten = [\n '/ip4/::/tcp/0',\n '0.0.0.0:80',\n]\n", 2, "multiaddress"),
        ("cores = 1\napi = '0.0.0.0:80'\n", 2, "loopback"),
        ("cores = 1\nmetrics = 'here'\n", 2, "socket address"),
        ("lie_share = 1.5\n", 1, "share from 0 to 1"),
        ("# a comment\nlog = 'dugnad=loud'\n", 2, "log filter"),
        ("cores = 1\ncores = 2\n", 2, "duplicate"),
        ("cores = 1\nmemory_mib = 0\n", 2, "nonzero"),
        ("cores = 1\n[run]\n", 2, "run"),
        ("cores == 1\n", 1, ""),
        (&format!("cores = 1\njoin = '{expired}'\n"), 2, "invite is"),
    ];
    for (text, line, words) in cases {
        let file = write(dir.path(), "run.toml", text);
        let refused = refused(&["--config", &file]);
        assert!(refused.starts_with(&format!("{file}:{line}: ")), "{text:?}: {refused}");
        assert!(refused.contains(words) && !refused.contains('\n'), "{text:?}: {refused}");
    }
    let file = write(dir.path(), "run.toml", [b"log = '".as_slice(), &[0xff]].concat());
    assert!(refused(&["--config", &file]).contains("run.toml:1: this is no UTF-8"));
    let file = write(dir.path(), "run.toml", " ".repeat(70_000));
    assert!(refused(&["--config", &file]).contains("larger than"));
    let missing = dir.path().join("missing.toml");
    assert!(refused(&["--config", missing.to_str().unwrap()]).contains("missing.toml"));
    for wrong in [["--api", "10.0.0.1:80"], ["--cores", "-1"], ["--lie-share", "nan"]] {
        assert!(Line::try_parse_from([&["run"], &wrong[..]].concat()).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_network_key_and_quic_exclude_each_other_and_the_error_names_both() {
    let dir = tempfile::tempdir().unwrap();
    let key = NetworkKey([7; 32]);
    key.write(&dir.path().join("grid.key")).unwrap();
    let text = "network_key = 'grid.key'\ndata_dir = 'data'\n";
    let file = write(dir.path(), "run.toml", text);
    let config = options(&["--config", &file]).resolve().unwrap();
    assert_eq!(config.network_key, Some(key), "found beside the file that names it");
    assert_eq!(config.data_dir, dir.path().join("data"));
    assert_eq!(config.listen, ["/ip4/0.0.0.0/tcp/0"]);

    let quic = "/ip4/0.0.0.0/udp/0/quic-v1";
    for (flag, join) in [("--listen", invite(None)), ("--bootstrap", invite(None))] {
        let refused = refused(&["--config", &file, flag, quic, "--join", &join]);
        assert!(refused.contains(quic) && refused.contains("--network-key"), "{refused}");
    }
    let private = invite(Some([7; 32]));
    assert!(refused(&["--listen", quic, "--join", &private]).contains(quic));
    let config = options(&["--join", &private, "--config", &file]).resolve().unwrap();
    assert_eq!(config.bootstrap, ["/ip4/10.0.0.1/tcp/4001"]);
    let another = invite(Some([8; 32]));
    let refused = refused(&["--join", &another, "--config", &file]);
    assert!(refused.contains("grid.key") && refused.contains("--join"), "{refused}");
}
