//! Shows a clock the time of the chain's blocks.

use crate::client::Chain;
use hashlease_primitives::AgreedClock;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tracing::debug;

/// Shows a clock the newest block's time every `pause`, until the task ends.
pub async fn show_blocks(chain: Chain, clock: Arc<AgreedClock>, pause: Duration) {
    loop {
        match chain.time().await {
            Ok(time) => clock.see_block(time),
            // the clock knows how long it has seen no block
            Err(error) => debug!(%error, "newest block can't be read"),
        }
        sleep(pause).await;
    }
}
