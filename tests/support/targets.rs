//! Four TLS servers whose suites are known, for whatever enumerates them: real ones, by nginx.

use std::net::{Ipv6Addr, TcpListener};
use std::process::Command;

use crate::certificates::Site;
use crate::server::{Answers, Server, folder, port};
use crate::{installed, write};

/// The name on their certificates.
pub const HOST: &str = "target.example.test";

/// One of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// As nginx comes: TLS 1.2 and 1.3, an RSA certificate, the client's order.
    A,
    /// Everything that OpenSSL has, at security level 0: TLS 1.0 to 1.2, RSA and ECDSA, DHE, the server's order.
    B,
    /// TLS 1.3 alone.
    C,
    /// Mozilla's intermediate list, the server's order.
    D,
}

impl Target {
    /// All four.
    pub const ALL: [Target; 4] = [Target::A, Target::B, Target::C, Target::D];

    /// How many suites it has, summed over its versions, where its library is OpenSSL 3.0.
    pub fn suites(self) -> usize {
        match self {
            Target::A => 30,
            Target::B => 123,
            Target::C => 3,
            Target::D => 9,
        }
    }

    /// Whose order decides.
    pub fn order(self) -> &'static str {
        match self {
            Target::A | Target::C => "client",
            Target::B | Target::D => "server",
        }
    }

    /// What its `server` block says beside ports and certificates.
    fn rules(self) -> &'static str {
        match self {
            Target::A => "ssl_protocols TLSv1.2 TLSv1.3;",
            Target::B => {
                "ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0;\n\
                 ssl_prefer_server_ciphers on; ssl_dhparam dh.pem;\n\
                 ssl_certificate second/chain.pem; ssl_certificate_key second/key.pem;"
            }
            Target::C => "ssl_protocols TLSv1.3;",
            Target::D => {
                "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_dhparam dh.pem;\n\
                 ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
                 ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
                 DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305;"
            }
        }
    }
}

/// Group ffdhe2048 of RFC 7919, which takes no time to make.
pub const DH: &str = "-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
";

/// Whether loopback has IPv6.
pub fn ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// The four, running.
#[derive(Debug)]
pub struct Targets {
    _server: Server,
    ports: [u16; 4],
}

impl Targets {
    /// Starts one nginx with two workers that is all four, on 127.0.0.1 and, where there is IPv6, on ::1.
    ///
    /// # Errors
    /// It does not start: with what it says.
    pub fn start() -> Result<Targets, String> {
        let (dir, site) = (folder(), Site::new());
        let second = dir.path().join("second");
        std::fs::create_dir(&second).map_err(|error| format!("{}: {error}", second.display()))?;
        site.issue(&Site::usual(HOST)).write(dir.path());
        site.issue_for(&Site::usual(HOST), "elliptic").write(&second);
        write(dir.path(), "dh.pem", DH);
        let ports = Target::ALL.map(|_| port());
        let mut servers = String::new();
        for (target, port) in Target::ALL.into_iter().zip(ports) {
            let also = if ipv6() { format!("listen [::1]:{port} ssl; ") } else { String::new() };
            servers.push_str(&format!(
                "server {{ listen 127.0.0.1:{port} ssl; {also}\n\
                 ssl_certificate chain.pem; ssl_certificate_key key.pem;\n{} }}\n",
                target.rules()
            ));
        }
        let mut temporary = String::new();
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            temporary.push_str(&format!("{kind}_temp_path {kind};\n"));
        }
        let text = format!(
            "daemon off;\nworker_processes 2;\npid pid;\nerror_log log;\nevents {{ worker_connections 1024; }}\n\
             http {{\naccess_log off;\nssl_session_cache none;\ndefault_type text/plain;\n{temporary}{servers}}}\n"
        );
        let config = write(dir.path(), "nginx.conf", text);
        let mut command = Command::new(installed("nginx").ok_or("no nginx")?);
        command.arg("-p").arg(dir.path()).arg("-e").arg(dir.path().join("log")).arg("-c").arg(config);
        let server = Server::start(command, dir, Answers::Tcp(ports[3]))?;
        Ok(Targets { _server: server, ports })
    }

    /// The port of one.
    pub fn port(&self, target: Target) -> u16 {
        self.ports[target as usize]
    }
}
