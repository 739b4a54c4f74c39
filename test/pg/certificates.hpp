// A certificate authority for one test: it signs server certificates, and writes all as files.
#pragma once

#include "temporary_directory.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace perdure::test {

class certificate_authority
{
public:
    /// A key and a certificate, as files that a server may read.
    struct files
    {
        std::string certificate;
        std::string key;
    };

    explicit certificate_authority(const std::string& name = "Perdure test authority")
    {
        key_ = make_key();
        certificate_ = make_certificate(key_.get(), name, day);
        add_extension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
        require(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
        write_certificate(root(), certificate_.get());
    }

    /// The file of its own certificate, for `sslrootcert`.
    std::string root() const { return directory_.path() + "/root.crt"; }

    /// A certificate for a host, which ends so many seconds from now; negative: it has ended. The
    /// key's file belongs to `owner`, whom PostgreSQL asks to own it.
    files sign(const std::string& host, long ends_in, uid_t owner)
    {
        const key_pointer key = make_key();
        const certificate_pointer signed_one = make_certificate(key.get(), host, ends_in);
        require(
            X509_set_issuer_name(signed_one.get(), X509_get_subject_name(certificate_.get())) == 1);
        add_extension(signed_one.get(), NID_subject_alt_name, "DNS:" + host);
        require(X509_sign(signed_one.get(), key_.get(), EVP_sha256()) > 0);
        const std::string base = directory_.path() + "/" + std::to_string(serial_);
        const files written{base + ".crt", base + ".key"};
        write_certificate(written.certificate, signed_one.get());
        const file_pointer file{std::fopen(written.key.c_str(), "w"), std::fclose};
        require(
            file && PEM_write_PrivateKey(
                        file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
        require(::chmod(written.key.c_str(), S_IRUSR | S_IWUSR) == 0);
        require(::chown(written.key.c_str(), owner, static_cast<gid_t>(-1)) == 0);
        return written;
    }

    static constexpr long day = 86400;

private:
    using key_pointer = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
    using certificate_pointer = std::unique_ptr<X509, decltype(&X509_free)>;
    using file_pointer = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

    static void require(bool success)
    {
        if (!success) throw std::runtime_error{"a certificate could not be made"};
    }

    static key_pointer make_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

    certificate_pointer make_certificate(EVP_PKEY* key, const std::string& name, long ends_in)
    {
        certificate_pointer made{X509_new(), X509_free};
        require(X509_set_version(made.get(), 2) == 1);
        require(ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial_) == 1);
        X509_gmtime_adj(X509_getm_notBefore(made.get()), -2 * day);
        X509_gmtime_adj(X509_getm_notAfter(made.get()), ends_in);
        require(X509_set_pubkey(made.get(), key) == 1);
        X509_NAME* const subject = X509_get_subject_name(made.get());
        require(
            X509_NAME_add_entry_by_txt(
                subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()),
                -1, -1, 0) == 1);
        require(X509_set_issuer_name(made.get(), subject) == 1);
        return made;
    }

    static void add_extension(X509* to, int kind, const std::string& value)
    {
        X509_EXTENSION* const extension =
            X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
        require(extension && X509_add_ext(to, extension, -1) == 1);
        X509_EXTENSION_free(extension);
    }

    static void write_certificate(const std::string& path, X509* certificate)
    {
        const file_pointer file{std::fopen(path.c_str(), "w"), std::fclose};
        require(file && PEM_write_X509(file.get(), certificate) == 1);
    }

    temporary_directory directory_;
    key_pointer key_{nullptr, EVP_PKEY_free};
    certificate_pointer certificate_{nullptr, X509_free};
    int serial_ = 0;
};

} // namespace perdure::test
