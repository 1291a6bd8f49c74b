//! A Kerberos realm: MIT's KDC with accounts of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::server::{Answers, Server, folder, open_to_all, port};
use crate::squid::PROXY;
use crate::{installed, ran, write};

/// Its name.
pub const REALM: &str = "EXAMPLE.TEST";

/// A running KDC, and the keys of the proxy's service.
#[derive(Debug)]
pub struct Realm {
    server: Server,
}

impl Realm {
    /// Starts it with these users and passwords. It knows the proxy by its name and as localhost.
    ///
    /// # Errors
    /// It does not start: with what it says.
    pub fn start(users: &[(&str, &str)]) -> Result<Realm, String> {
        let (dir, at) = (folder(), port());
        let folder = dir.path().display().to_string();
        let config = write(
            dir.path(),
            "krb5.conf",
            format!(
                "[libdefaults]\n default_realm = {REALM}\n dns_lookup_realm = false\n dns_lookup_kdc = false\n\
                 rdns = false\n dns_canonicalize_hostname = false\n udp_preference_limit = 1\n\
                 [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{at}\n }}\n\
                 [domain_realm]\n localhost = {REALM}\n .example.test = {REALM}\n"
            ),
        );
        let profile = write(
            dir.path(),
            "kdc.conf",
            format!(
                "[kdcdefaults]\n kdc_listen = 127.0.0.1:{at}\n kdc_tcp_listen = 127.0.0.1:{at}\n\
                 [realms]\n {REALM} = {{\n  database_name = {folder}/principal\n  key_stash_file = {folder}/stash\n\
                 \x20 acl_file = {folder}/acl\n  default_principal_flags = +preauth\n }}\n\
                 [logging]\n kdc = FILE:{folder}/kdc.log\n"
            ),
        );
        let program = |name: &str| {
            let mut command = Command::new(installed(name).unwrap_or_else(|| name.into()));
            command.env("KRB5_CONFIG", &config).env("KRB5_KDC_PROFILE", &profile).args(["-r", REALM]);
            command
        };
        ran(program("kdb5_util").args(["create", "-s", "-P", "master"]))?;
        let mut orders: Vec<String> =
            users.iter().map(|(user, password)| format!("addprinc -pw {password} {user}")).collect();
        for host in [PROXY, "localhost"] {
            orders.push(format!("addprinc -randkey HTTP/{host}"));
            orders.push(format!("ktadd -k {folder}/keytab HTTP/{host}"));
        }
        for order in &orders {
            // It ends well whatever comes of an order.
            let says = ran(program("kadmin.local").args(["-q", order]))?;
            if !says.contains("created") && !says.contains("added to keytab") {
                return Err(format!("kadmin.local {order}: {says}"));
            }
        }
        // Squid's helper reads it as another user.
        open_to_all(&dir.path().join("keytab"))?;
        let mut command = program("krb5kdc");
        command.arg("-n");
        Ok(Realm { server: Server::start(command, dir, Answers::Tcp(at))? })
    }

    /// `KRB5_CONFIG` of whoever is in the realm.
    pub fn config(&self) -> PathBuf {
        self.server.folder().join("krb5.conf")
    }

    /// The keys of the proxy's service.
    pub fn keytab(&self) -> PathBuf {
        self.server.folder().join("keytab")
    }

    /// A ticket cache of that name (`KRB5CCNAME`) with a ticket of that user.
    ///
    /// # Errors
    /// The password is wrong, or there is no kinit.
    pub fn ticket(&self, name: &str, user: &str, password: &str) -> Result<String, String> {
        let folder = self.server.folder();
        let secret = write(folder, "secret", format!("{password}\n"));
        let secret = std::fs::File::open(secret).map_err(|error| error.to_string())?;
        let cache = format!("FILE:{}", folder.join(name).display());
        let got = Command::new(installed("kinit").ok_or("no kinit")?)
            .env("KRB5_CONFIG", self.config())
            .env("KRB5CCNAME", &cache)
            .arg(user)
            .stdin(secret)
            .output()
            .map_err(|error| format!("kinit: {error}"))?;
        let says = String::from_utf8_lossy(&got.stderr);
        if got.status.success() { Ok(cache) } else { Err(format!("kinit: {says}")) }
    }

    /// A ticket cache that is not there.
    pub fn no_ticket(&self) -> String {
        format!("FILE:{}", self.server.folder().join("none").display())
    }

    /// What the KDC wrote down of requests whose password did not fit.
    pub fn refusals(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.server.folder().join("kdc.log")).unwrap_or_default();
        text.lines().filter(|line| line.contains(": PREAUTH_FAILED:")).map(str::to_owned).collect()
    }
}
