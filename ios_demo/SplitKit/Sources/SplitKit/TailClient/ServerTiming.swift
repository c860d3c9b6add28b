/// The W3C Server-Timing header, by which a tail says how long it worked itself.
enum ServerTiming {
    /// The sum of all durations in milliseconds, or nil where the header gives none.
    static func milliseconds(_ header: String) -> Double? {
        let parts = header.split { $0 == ";" || $0 == "," }.map { $0.drop { $0 == " " } }
        let found = parts.filter { $0.hasPrefix("dur=") }.compactMap { Double($0.dropFirst(4)) }.filter(\.isFinite)
        return found.isEmpty ? nil : found.reduce(0, +)
    }
}
