import Foundation

/// The byte format rans-1: codes of a waist to a message and back, by range asymmetric numeral systems with a fixed table per
/// channel. tests/contract/coder specifies the bytes.
///
/// Source: Duda, "Asymmetric numeral systems", 2013; renormalised by bytes.
struct RANSCoder: Sendable {
    private static let bits = 14
    private static let lowest = 1 << 16
    private let coding: Manifest.Coding
    private let positions: Int
    private let isChannelLast: Bool
    private let starts: [[Int]]
    private let likeliest: [Int]

    /// Codes of one photo.
    var count: Int { coding.levels.count * positions }

    /// - Parameters:
    ///   - positions: values of one channel of one photo.
    ///   - isChannelLast: whether a photo's codes lie position by position (NTC, NHWC) and not channel by channel.
    /// - Throws: `WireError` for a coding that is inconsistent.
    init(_ coding: Manifest.Coding, positions: Int, isChannelLast: Bool) throws {
        try Self.check(coding)
        (self.coding, self.positions, self.isChannelLast) = (coding, positions, isChannelLast)
        starts = coding.tables.map { table in table.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) } }
        likeliest = coding.tables.map { table in table.indices.max { (table[$0], $1) < (table[$1], $0) } ?? 0 }
        if let pad = coding.padBytes {
            let shortest = stream((0..<count).map { likeliest[$0 / positions] }).count
            guard shortest <= pad else { throw Self.error("pad_bytes is \(pad), less than the shortest message") }
        }
    }

    /// - Throws: `WireError`: a coding that is inconsistent.
    static func check(_ coding: Manifest.Coding) throws {
        guard coding.precisionBits == bits else { throw error("it has \(coding.precisionBits) bits, rans-1 has \(bits)") }
        let channels = coding.levels.count
        guard channels > 0, [coding.scale.count, coding.zeroPoint.count, coding.tables.count].allSatisfy({ $0 == channels }) else {
            throw error("its lists differ in length")
        }
        for channel in 0..<channels {
            let (table, levels, step) = (coding.tables[channel], coding.levels[channel], Float(coding.scale[channel]))
            guard (2...256).contains(levels), table.count == levels else {
                throw error("channel \(channel) has \(table.count) frequencies for \(levels) levels")
            }
            guard table.allSatisfy({ (1...1 << bits).contains($0) }), table.reduce(0, +) == 1 << bits else {
                throw error("the frequencies of channel \(channel) do not sum to \(1 << bits)")
            }
            guard step > 0, step.isFinite else { throw error("the scale of channel \(channel) is no step") }
            guard (0..<levels).contains(coding.zeroPoint[channel]) else { throw error("the zero point of channel \(channel) is no code") }
        }
        let text = "[" + coding.tables.map { "[" + $0.map(String.init).joined(separator: ",") + "]" }.joined(separator: ",") + "]"
        guard SHA256.hexadecimal(of: text.utf8).prefix(16) == coding.tableID else { throw error("its table_id belongs to other tables") }
        guard coding.padBytes ?? 3 >= 3 else { throw error("no message has so few bytes as pad_bytes says") }
    }

    private static func error(_ why: String) -> WireError {
        WireError("The bundle's coding does not fit (\(why)); make the bundle anew.")
    }

    /// The message of one photo's codes, in C order of the tensor.
    ///
    /// - Throws: `WireError`: another number of codes, or one that its channel does not have.
    func encode(_ codes: [UInt8]) throws -> Data {
        guard codes.count == count else { throw WireError("\(codes.count) codes came, \(count) are one photo's.") }
        var symbols = (0..<count).map { Int(codes[place($0)]) }
        for (index, symbol) in symbols.enumerated() where symbol >= coding.levels[index / positions] {
            throw WireError("The code \(symbol) is beyond its channel's \(coding.levels[index / positions]) levels.")
        }
        var made = stream(symbols)
        guard let pad = coding.padBytes else { return Data(made) }
        var sixteenths = 0
        while made.count > pad {
            sixteenths += 1
            for index in (count - (count * sixteenths + 15) / 16)..<count { symbols[index] = likeliest[index / positions] }
            made = stream(symbols)
        }
        return Data(made + [UInt8](repeating: 0, count: pad - made.count))
    }

    /// The codes of a message.
    ///
    /// - Throws: `WireError`: bytes that `encode` does not make.
    func decode(_ message: Data) throws -> [UInt8] {
        let bytes = [UInt8](message)
        if let pad = coding.padBytes, bytes.count != pad { throw WireError("A message has \(pad) bytes, this one \(bytes.count).") }
        guard bytes.count >= 3 else { throw WireError("The message is too short.") }
        var codes = [UInt8](repeating: 0, count: count)
        var (x, at) = (Int(bytes[0]) << 16 | Int(bytes[1]) << 8 | Int(bytes[2]), 3)
        guard x >= Self.lowest else { throw WireError("The message's state is too small.") }
        for index in 0..<count {
            let start = starts[index / positions]
            let m = x & ((1 << Self.bits) - 1)
            let code = Self.code(start, m)
            x = (start[code + 1] - start[code]) * (x >> Self.bits) + m - start[code]
            while x < Self.lowest {
                guard at < bytes.count else { throw WireError("The message ends too early.") }
                x = x << 8 | Int(bytes[at])
                at += 1
            }
            codes[place(index)] = UInt8(code)
        }
        guard x == Self.lowest else { throw WireError("The message's end does not fit.") }
        guard coding.padBytes != nil ? bytes[at...].allSatisfy({ $0 == 0 }) : at == bytes.count else {
            throw WireError("Bytes follow the message.")
        }
        return codes
    }

    private func stream(_ symbols: [Int]) -> [UInt8] {
        var out: [UInt8] = []
        var x = Self.lowest
        for index in symbols.indices.reversed() {
            let start = starts[index / positions]
            let low = start[symbols[index]]
            let frequency = start[symbols[index] + 1] - low
            while x >= frequency << 10 {
                out.append(UInt8(truncatingIfNeeded: x))
                x >>= 8
            }
            x = ((x / frequency) << Self.bits) + x % frequency + low
        }
        for shift in [0, 8, 16] { out.append(UInt8(truncatingIfNeeded: x >> shift)) }
        return out.reversed()
    }

    /// The symbol s with start[s] <= m < start[s + 1].
    private static func code(_ start: [Int], _ m: Int) -> Int {
        var (low, high) = (0, start.count - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if start[middle] <= m { low = middle } else { high = middle }
        }
        return low
    }

    /// Where the i-th symbol in the coder's order, channel by channel, lies in the tensor.
    private func place(_ index: Int) -> Int {
        isChannelLast ? index % positions * coding.levels.count + index / positions : index
    }
}
