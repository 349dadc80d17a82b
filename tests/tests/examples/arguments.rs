//! `checksum` and its command line.

use multiproc_tests::{TestResult, once};

use crate::programs::example;

once! { wrong_arguments_are_told_with_the_usage, help_is_printed }

fn wrong_arguments_are_told_with_the_usage() -> TestResult {
    let cases: [(&[&str], &str); 11] = [
        (&["--proceses", "2"], "no option --proceses"),
        (&["-x"], "no option -x"),
        (&["--processes"], "--processes needs a value"),
        (&["--processes", "0"], "--processes cannot be \"0\""),
        (&["--processes", "-1"], "--processes cannot be"),
        (&["--processes=two"], "--processes cannot be \"two\""),
        (&["--retries", "-1"], "--retries cannot be"),
        (&["--retries", "99999999999"], "--retries cannot be"),
        (&["--start-method", "vfork"], "vfork"),
        (&["--start-method"], "--start-method needs a value"),
        (&["a", "b"], "more than one DIR"),
    ];
    for (arguments, complaint) in &cases {
        let output = example("checksum").args(*arguments).output()?;
        let text = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text.contains(complaint) && text.contains("usage: checksum"),
            "{arguments:?}: {text}"
        );
        assert_eq!(output.stdout, b"");
    }
    Ok(())
}

fn help_is_printed() -> TestResult {
    for option in ["--help", "-h"] {
        let output = example("checksum").args(["--retries", "3", option]).output()?;
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout)?.starts_with("usage: checksum [DIR]"));
        assert_eq!(output.stderr, b"");
    }
    Ok(())
}
