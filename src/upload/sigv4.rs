//! AWS Signature Version 4, in the `Authorization` header: how a request to S3, or to a store that is compatible with
//! it, proves who sent it without the secret leaving the box.
//!
//! Written after "Signature Version 4 signing process" and "Authenticating Requests: Using the Authorization Header"
//! of the AWS documentation; the examples of both are the tests.

use std::fmt::Write as _;

use ring::hmac;
use sha2::{Digest as _, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs requests.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The access key.
    pub access_key: &'a str,
    /// The secret key.
    pub secret: &'a str,
    /// The region.
    pub region: &'a str,
    /// The service; `s3`.
    pub service: &'a str,
}

/// Not the secret.
impl std::fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("access_key", &self.access_key)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// E.g. `PUT`.
    pub method: &'a str,
    /// The path, percent-encoded as it is sent.
    pub path: &'a str,
    /// The query, names and values percent-encoded, sorted by name.
    pub query: &'a str,
    /// The headers to be signed, names in lower case and sorted, `host` and `x-amz-date` among them.
    pub headers: &'a [(&'a str, &'a str)],
    /// Lower-case hex SHA-256 of the body.
    pub body_sha256: &'a str,
    /// The time in `x-amz-date`: `YYYYMMDDTHHMMSSZ`.
    pub time: &'a str,
}

impl Signer<'_> {
    /// The value of the `Authorization` header of `request`.
    pub fn authorization(&self, request: &Request<'_>) -> String {
        let day = request.time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
        let signed_headers = names.join(";");
        let canonical = canonical(request, &signed_headers);
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{}", request.time, sha256_hex(canonical.as_bytes()));
        let mut key = mac(format!("AWS4{}", self.secret).as_bytes(), day);
        for part in [self.region, self.service, "aws4_request", &to_sign] {
            key = mac(key.as_ref(), part);
        }
        format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={}",
            self.access_key,
            hex(key.as_ref())
        )
    }
}

/// The request in the one form that both sides hash.
fn canonical(request: &Request<'_>, signed_headers: &str) -> String {
    let mut text = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for (name, value) in request.headers {
        let value: Vec<&str> = value.split_ascii_whitespace().collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}:{}", value.join(" "));
    }
    let _ = write!(text, "\n{signed_headers}\n{}", request.body_sha256);
    text
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

/// Lower-case hex SHA-256 of `bytes`.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const HOST: (&str, &str) = ("host", "examplebucket.s3.amazonaws.com");
    const DATE: (&str, &str) = ("x-amz-date", "20130524T000000Z");

    /// The signature of the examples in "Authenticating Requests: Using the Authorization Header".
    fn s3(method: &str, path: &str, query: &str, headers: &[(&str, &str)], body_sha256: &str) -> String {
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            service: "s3",
        };
        let request = Request { method, path, query, headers, body_sha256, time: DATE.1 };
        let header = signer.authorization(&request);
        header.split_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn the_published_example_of_a_put_is_signed_as_published() {
        let body = sha256_hex(b"Welcome to Amazon S3.");
        assert_eq!(body, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
        let headers = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            HOST,
            ("x-amz-content-sha256", body.as_str()),
            DATE,
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ];
        assert_eq!(
            s3("PUT", "/test%24file.text", "", &headers, &body),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
    }

    #[test]
    fn the_published_examples_of_gets_are_signed_as_published() {
        let hash = ("x-amz-content-sha256", EMPTY);
        let ranged = [HOST, ("range", "bytes=0-9"), hash, DATE];
        assert_eq!(
            s3("GET", "/test.txt", "", &ranged, EMPTY),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let plain = [HOST, hash, DATE];
        assert_eq!(
            s3("GET", "/", "lifecycle=", &plain, EMPTY),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            s3("GET", "/", "max-keys=2&prefix=J", &plain, EMPTY),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn the_first_of_the_published_test_suite_is_signed_as_published() {
        let signer = Signer {
            access_key: "AKIDEXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            service: "service",
        };
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        let request = Request {
            method: "GET",
            path: "/",
            query: "",
            headers: &headers,
            body_sha256: EMPTY,
            time: "20150830T123600Z",
        };
        assert_eq!(
            signer.authorization(&request),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        assert!(!format!("{signer:?}").contains("wJalr"), "the secret is not shown");
    }
}
