import Foundation

/// Where features may go. They travel encrypted: http is only for this device itself and for private hosts that the
/// app lists one by one. (App Transport Security does not cover numeric addresses, so the rule is here.) splitkit for Android
/// keeps the same one; tests/contract/phone/addresses.json holds its cases.
public enum TailAddress {
    /// Checks an address as a person typed it.
    ///
    /// - Parameters:
    ///   - typed: with or without blanks around it.
    ///   - cleartextHosts: private hosts to which features may go unencrypted, as the app lists them.
    /// - Throws: `TailError.unreachable`: no address; `TailError.insecure`: http to a machine for which it is not allowed.
    public static func check(_ typed: String, cleartextHosts: Set<String> = []) throws -> URL {
        let text = typed.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let url = URL(string: text) else { throw TailError.unreachable("\(typed) is no address") }
        try check(url, cleartextHosts: cleartextHosts)
        return url
    }

    /// Checks an address.
    ///
    /// - Throws: as above.
    public static func check(_ url: URL, cleartextHosts: Set<String> = []) throws {
        guard let scheme = url.scheme?.lowercased(), scheme == "http" || scheme == "https", let host = url.host, !host.isEmpty else {
            throw TailError.unreachable("\(url) is no http or https address; one looks like https://tail.example.org")
        }
        guard url.user == nil, url.password == nil else {
            throw TailError.unreachable("\(host) is not given a name or password; the token has a place of its own")
        }
        let name = bare(host)
        if scheme == "http", !isThisMachine(name), !(cleartextHosts.contains { bare($0) == name } && isPrivate(name)) {
            throw TailError.insecure(host: host)
        }
    }

    private static func bare(_ host: String) -> String {
        host.lowercased().trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    }

    private static func isThisMachine(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || numbers(host)?.first == 127
    }

    private static func isPrivate(_ host: String) -> Bool {
        if let address = numbers(host) {
            switch (address[0], address[1]) {
            case (10, _), (192, 168), (172, 16...31), (169, 254): return true
            default: return false
            }
        }
        if host.contains(":") { return host.hasPrefix("fc") || host.hasPrefix("fd") || host.hasPrefix("fe80:") }
        return host.hasSuffix(".local") && host.split(separator: ".", omittingEmptySubsequences: false).count == 2
    }

    /// The four numbers of an address, or nil for a name; a name that only begins like an address is a name.
    private static func numbers(_ host: String) -> [Int]? {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        let found = parts.compactMap { part in part.allSatisfy(\.isNumber) && part.count <= 3 ? Int(part) : nil }
        return found.count == 4 && found.allSatisfy { $0 < 256 } ? found : nil
    }
}
