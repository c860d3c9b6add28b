import Foundation

#if canImport(CryptoKit)
    import CryptoKit
    private typealias Hasher = CryptoKit.SHA256
#else
    private typealias Hasher = PortableSHA256
#endif

/// SHA-256: CryptoKit's on Apple systems, the small one beside this file elsewhere.
public enum SHA256 {
    /// The hash of some bytes, in lower-case hex.
    public static func hexadecimal(of bytes: some Sequence<UInt8>) -> String {
        var hasher = Hasher()
        hasher.update(data: Data(bytes))
        return text(hasher.finalize())
    }

    /// The hash of a file, read in pieces.
    public static func hexadecimal(ofFile url: URL) throws -> String {
        let handle = try FileHandle(forReadingFrom: url)
        defer { try? handle.close() }
        var hasher = Hasher()
        while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty {
            hasher.update(data: piece)
        }
        return text(hasher.finalize())
    }

    private static func text(_ digest: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
