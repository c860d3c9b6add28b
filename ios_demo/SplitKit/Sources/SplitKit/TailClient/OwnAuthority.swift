import Foundation

#if canImport(Security)
    import Security
#endif

/// Trust in one certificate authority alone, for a tail whose certificate no public authority signed.
public struct OwnAuthority: Sendable, Equatable {
    /// The certificates, DER.
    let certificates: [Data]

    /// - Parameter pem: one or more certificates.
    /// - Throws: `TailError.unreachable` where there is none in it.
    public init(pem: Data) throws {
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
        let blocks = String(decoding: pem, as: UTF8.self).components(separatedBy: begin).dropFirst()
        certificates = try blocks.map { block in
            guard let body = block.components(separatedBy: end).first, block.contains(end),
                let der = Data(base64Encoded: body, options: .ignoreUnknownCharacters), !der.isEmpty
            else { throw TailError.unreachable("tail_ca.pem holds a certificate that cannot be read") }
            return der
        }
        guard !certificates.isEmpty else { throw TailError.unreachable("tail_ca.pem holds no certificate") }
    }

    #if canImport(Security)
        /// Whether a server's chain ends at one of these; the host name in it is checked as usual.
        func trusts(_ trust: SecTrust) -> Bool {
            let anchors = certificates.compactMap { SecCertificateCreateWithData(nil, NSData(data: $0) as CFData) }
            guard anchors.count == certificates.count,
                SecTrustSetAnchorCertificates(trust, NSArray(array: anchors) as CFArray) == errSecSuccess,
                SecTrustSetAnchorCertificatesOnly(trust, true) == errSecSuccess
            else { return false }
            return SecTrustEvaluateWithError(trust, nil)
        }
    #endif
}
