//! What people read before they type, and after they mistyped.

use crate::station::Station;

fn help(station: &Station, command: &[String]) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
    let ran = station.run(&words);
    assert_eq!(ran.code, 0, "{command:?}: {ran:?}");
    ran.stdout
}

/// The names below `Commands:`.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_an_example_and_who_mistypes_is_sent_there() {
    let station = Station::bare();
    let mut waiting = vec![Vec::<String>::new()];
    let mut seen = 0;
    while let Some(command) = waiting.pop() {
        let text = help(&station, &command);
        assert!(text.contains("\nExample"), "{command:?}: {text}");
        waiting.extend(commands(&text).into_iter().map(|name| [&command[..], &[name]].concat()));
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
    for wrong in [&["ledger", "find"][..], &["lot", "create", "--quota", "0"], &["--nonsense"]] {
        let ran = station.run(wrong);
        assert_eq!(ran.code, 2, "{wrong:?}: {ran:?}");
        assert!(ran.stderr.contains("hint: `--help` behind the command"), "{ran:?}");
    }
}
