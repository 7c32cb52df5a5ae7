//! Projected volumes: several sources, one directory.
//!
//! Follows `validateProjectionSources` of `pkg/apis/core/validation` 1.36.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    ClusterTrustBundleProjection, KeyToPath, PodCertificateProjection, ProjectedVolumeSource,
    ServiceAccountTokenProjection, VolumeProjection,
};

use super::absent::{items, text};
use super::env::validate_downward_file;
use super::field::{Errors, Path};
use super::labels::{SelectorValues, validate_label_selector};
use super::meta::ANNOTATIONS_BYTES_MAX;
use super::names::{
    LABEL_BYTES_MAX, SUBDOMAIN_BYTES_MAX, is_dns1123_label, is_dns1123_subdomain, is_qualified_name,
};
use super::paths::validate_local_non_reserved;
use super::volumes::{require, validate_items, validate_mode};

/// Longest life of a certificate, in seconds, of a signer of Kubernetes' own and of another.
const CERTIFICATE_SECONDS_MAX: (i32, i32) = (24 * 3600, 91 * 24 * 3600);

/// Paths taken so far in the volume.
struct Taken<'a> {
    paths: BTreeSet<&'a str>,
}

impl<'a> Taken<'a> {
    /// Takes a path; one that is taken already is an error of the whole volume.
    fn take(&mut self, file: &'a str, shown: &str, path: &Path<'_>, errors: &mut Errors) {
        if !self.paths.insert(file) {
            errors.invalid(path, shown, "conflicting duplicate paths");
        }
    }

    fn take_items(
        &mut self,
        list: &'a [KeyToPath],
        owner: &str,
        path: &Path<'_>,
        errors: &mut Errors,
    ) {
        for item in list.iter().filter(|item| !item.path.is_empty()) {
            self.take(&item.path, owner, path, errors);
        }
    }
}

/// The sources of a projected volume.
pub(super) fn validate_projected(
    source: &ProjectedVolumeSource,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    validate_mode(source.default_mode, &path.child("defaultMode"), errors);
    let mut taken = Taken { paths: BTreeSet::new() };
    let sources = path.child("sources");
    for (at, source) in items(&source.sources).iter().enumerate() {
        validate_projection(source, &mut taken, path, &sources.index(at), errors);
    }
}

fn validate_projection<'a>(
    source: &'a VolumeProjection,
    taken: &mut Taken<'a>,
    volume: &Path<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut count = 0;
    if let Some(secret) = &source.secret {
        count += 1;
        let path = path.child("secret");
        require(&secret.name, &path.child("name"), errors);
        validate_items(items(&secret.items), &path.child("items"), errors);
        taken.take_items(items(&secret.items), &secret.name, volume, errors);
    }
    if let Some(map) = &source.config_map {
        count += 1;
        let path = path.child("configMap");
        require(&map.name, &path.child("name"), errors);
        validate_items(items(&map.items), &path.child("items"), errors);
        taken.take_items(items(&map.items), &map.name, volume, errors);
    }
    if let Some(downward) = &source.downward_api {
        count += 1;
        for file in items(&downward.items) {
            validate_downward_file(file, &path.child("downwardAPI"), errors);
            if !file.path.is_empty() {
                taken.take(&file.path, &file.path, volume, errors);
            }
        }
    }
    if let Some(token) = &source.service_account_token {
        count += 1;
        validate_token(token, volume, &path.child("serviceAccountToken"), errors);
    }
    if let Some(bundle) = &source.cluster_trust_bundle {
        count += 1;
        let path = path.child("clusterTrustBundle");
        validate_trust_bundle(bundle, &path, errors);
        require(&bundle.path, &path.child("path"), errors);
        validate_local_non_reserved(&bundle.path, &path.child("path"), errors);
        taken.take(&bundle.path, &bundle.path, volume, errors);
    }
    if let Some(certificate) = &source.pod_certificate {
        count += 1;
        let path = path.child("podCertificate");
        validate_certificate(certificate, taken, volume, &path, errors);
    }
    if count > 1 {
        errors.forbidden(path, "may not specify more than 1 volume type per source");
    }
}

fn validate_token(
    token: &ServiceAccountTokenProjection,
    volume: &Path<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let seconds = token.expiration_seconds.unwrap_or(0);
    let seconds_path = path.child("expirationSeconds");
    if seconds < 600 {
        let detail = "may not specify a duration less than 10 minutes";
        errors.invalid(&seconds_path, &seconds, detail);
    }
    if seconds > 1 << 32 {
        let detail = "may not specify a duration larger than 2^32 seconds";
        errors.invalid(&seconds_path, &seconds, detail);
    }
    let path = volume.child("path");
    require(&token.path, &path, errors);
    validate_local_non_reserved(&token.path, &path, errors);
}

fn validate_trust_bundle(
    bundle: &ClusterTrustBundleProjection,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let selector_path = path.child("labelSelector");
    match (&bundle.name, &bundle.signer_name) {
        (Some(_), Some(_)) => {
            let shown = serde_json::to_string(bundle).unwrap_or_default();
            errors.invalid_as(path, shown, "only one of name and signerName may be used");
        }
        (Some(name), None) => {
            let path = path.child("name");
            if name.is_empty() {
                errors.required(&path, "must be a valid object name");
            }
            // A bundle of a signer is called `signer:path:name`; any other has a plain name.
            let plain = name.rsplit(':').next().unwrap_or(name);
            for message in is_dns1123_subdomain(plain) {
                let detail = format!("not a valid clustertrustbundlename: {message}");
                errors.invalid(&path, name, detail);
            }
            if let Some(selector) = &bundle.label_selector {
                let shown = serde_json::to_string(selector).unwrap_or_default();
                let detail = "labelSelector must be unset if name is specified";
                errors.invalid_as(&selector_path, shown, detail);
            }
        }
        (None, Some(signer)) => {
            let path = path.child("signerName");
            if signer.is_empty() {
                errors.required(&path, "must be a valid signer name");
            }
            validate_signer_name(signer, &path, errors);
            if let Some(selector) = &bundle.label_selector {
                let values = SelectorValues::LabelValues;
                validate_label_selector(selector, &selector_path, values, errors);
            }
        }
        (None, None) => errors.required(path, "either name or signerName must be specified"),
    }
}

/// A certificate signer's name: a domain of at least two parts, a slash, a path.
fn validate_signer_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    const LIMIT: usize = SUBDOMAIN_BYTES_MAX + 1 + SUBDOMAIN_BYTES_MAX + 1 + LABEL_BYTES_MAX;
    if name.is_empty() {
        errors.required(path, "");
        return;
    }
    let Some((domain, rest)) = name.split_once('/').filter(|(_, rest)| !rest.contains('/')) else {
        let detail = "must be a fully qualified domain and path of the form \
                      'example.com/signer-name'";
        errors.invalid(path, name, detail);
        return;
    };
    if domain.len() > SUBDOMAIN_BYTES_MAX {
        errors.too_long(path, SUBDOMAIN_BYTES_MAX);
    }
    let mut labels = domain.split('.').map(|part| (part, is_dns1123_label(part)));
    if let Some((part, messages)) = labels.find(|(_, messages)| !messages.is_empty()) {
        for message in messages {
            errors.invalid(path, domain, format!("validating label {part:?}: {message}"));
        }
    }
    if !domain.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        errors.invalid(path, domain, detail);
    }
    let mut labels = rest.split('.').map(|part| (part, is_dns1123_subdomain(part)));
    if let Some((part, messages)) = labels.find(|(_, messages)| !messages.is_empty()) {
        for message in messages {
            errors.invalid(path, rest, format!("validating label {part:?}: {message}"));
        }
    }
    if name.len() > LIMIT {
        errors.too_long(path, LIMIT);
    }
}

fn validate_certificate<'a>(
    certificate: &'a PodCertificateProjection,
    taken: &mut Taken<'a>,
    volume: &Path<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let signer = &certificate.signer_name;
    validate_signer_name(signer, &path.child("signerName"), errors);
    if let Some(annotations) = &certificate.user_annotations {
        let path = path.child("userAnnotations");
        for key in annotations.keys() {
            validate_prefixed_key(&key.to_lowercase(), &path, errors);
        }
        let bytes: usize = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > ANNOTATIONS_BYTES_MAX {
            errors.too_long(&path, ANNOTATIONS_BYTES_MAX);
        }
    }
    let kinds = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"];
    if !kinds.contains(&certificate.key_type.as_str()) {
        errors.not_supported(&path.child("keyType"), &certificate.key_type, &kinds);
    }
    if let Some(seconds) = certificate.max_expiration_seconds {
        let path = path.child("maxExpirationSeconds");
        let domain = signer.split('/').next().unwrap_or("");
        let own = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
        let most = if own { CERTIFICATE_SECONDS_MAX.0 } else { CERTIFICATE_SECONDS_MAX.1 };
        if seconds < 3600 {
            let detail = "if provided, maxExpirationSeconds must be >= 3600";
            errors.invalid(&path, &seconds, detail);
        }
        if seconds > most {
            let detail = format!("if provided, maxExpirationSeconds must be <= {most}");
            errors.invalid(&path, &seconds, detail);
        }
    }
    let files = [
        ("credentialBundlePath", text(&certificate.credential_bundle_path)),
        ("keyPath", text(&certificate.key_path)),
        ("certificateChainPath", text(&certificate.certificate_chain_path)),
    ];
    let mut given = files.iter().filter(|(_, file)| !file.is_empty()).peekable();
    if given.peek().is_none() {
        let detail = "specify at least one of credentialBundlePath, keyPath, and \
                      certificateChainPath";
        errors.required(path, detail);
    }
    for (field, file) in given {
        validate_local_non_reserved(file, &path.child(field), errors);
        taken.take(file, file, volume, errors);
    }
}

fn validate_prefixed_key(key: &str, path: &Path<'_>, errors: &mut Errors) {
    if key.is_empty() {
        errors.required(path, "");
        return;
    }
    let messages = is_qualified_name(key);
    if messages.is_empty() && !key.contains('/') {
        errors.invalid(path, key, "must be a domain-prefixed key (such as \"acme.io/foo\")");
    }
    for message in messages {
        errors.invalid(path, key, message);
    }
}
