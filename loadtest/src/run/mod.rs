//! Runs a load: venue, gateway and streams together.

mod stop;
mod setup;
mod outages;
mod tls_folder;
mod gateway;
mod gateway_config;
mod broker;
mod cluster;
mod sampler;
mod checkpoint;
mod observed;
mod clocks;
mod limits;
mod judged;
mod marks;
mod assess;
mod phases;
mod floor;
mod venue;

pub use broker::BrokerError;
pub use cluster::{Cluster, ClusterError};
pub use floor::{Floor, FloorSetup};
pub use gateway::{Gateway, GatewayError};
pub use gateway_config::gateway_config;
pub use outages::{Step, Steps};
pub use phases::run;
pub use setup::{Run, RunError, RunProgress, Server};
pub use stop::Stop;
pub use tls_folder::TlsFolder;
pub use venue::{RecordingUnreadable, start_venue};
