//! The client for the Autobahn testsuite and for the servers of other implementations.

use std::time::Duration;

use tidegate_core::CloseCode;
use tidegate_driver::{Client, Error, Options};

use crate::adapter::{Adapter, Outcome};
use crate::server::echo;
use crate::settings::Settings;

pub(crate) async fn run<A: Adapter>(settings: Settings) -> Outcome {
    let url = settings.target.trim_end_matches('/');
    let agent = std::env::var("AUTOBAHN_AGENT").unwrap_or_else(|_| "tidegate".into());
    let options = Options::builder().config(settings.config).build()?;
    let client = Client::new(A::network(settings.client_tls), options);

    let mut socket = client.connect(&format!("{url}/getCaseCount")).await?;
    let count = socket.recv().await?.ok_or("the suite sent no number of cases")?;
    let count: u32 = count.as_text().ok_or("the number of cases is not text")?.parse()?;
    socket.close(CloseCode::NORMAL, "").await?;

    for case in 1..=count {
        let address = format!("{url}/runCase?case={case}&agent={agent}");
        let ended = one::<A>(&client, &address, settings.split, settings.pause).await;
        if let Err(error) = ended {
            println!("case {case}: {error}"); // expected: many cases end with an error
        }
    }
    let mut socket = client.connect(&format!("{url}/updateReports?agent={agent}")).await?;
    socket.close(CloseCode::NORMAL, "").await?;
    println!("{count} cases");
    match settings.memory_limit {
        Some(limit) => within(limit),
        None => Ok(()),
    }
}

async fn one<A: Adapter>(
    client: &Client<A::Network>,
    address: &str,
    split: bool,
    pause: Duration,
) -> Result<(), Error> {
    let socket = client.connect(address).await?;
    if !pause.is_zero() {
        A::sleep(pause).await;
    }
    echo::<A, _>(socket, split).await
}

/// Fails if Linux reports a higher peak of resident memory than this.
fn within(limit: usize) -> Outcome {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: usize =
        line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?.parse()?;
    eprintln!("{kib} KiB resident at the peak");
    if kib * 1024 > limit { Err(format!("that is more than {limit} bytes").into()) } else { Ok(()) }
}
