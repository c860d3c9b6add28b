import Foundation

/// The two spellings of JSON that the contract fixes to the byte.
public enum JSONSpelling: Sendable {
    /// Reports: keys as given, UTF-8, numbers rounded to six decimals without trailing zeros.
    case report
    /// What a bundle's id is hashed over: keys sorted, ASCII only, numbers as the shortest decimal that reads back.
    case identity
    /// The wire's header: keys as given, ASCII only.
    case wire

    var isASCII: Bool { self != .report }
}

extension JSON {
    /// Writes this value without any blank.
    ///
    /// - Throws: `JSONError` for NaN and infinities, which JSON cannot carry.
    public func text(_ spelling: JSONSpelling) throws -> String {
        var text = ""
        try write(to: &text, spelling)
        return text
    }

    private func write(to text: inout String, _ spelling: JSONSpelling) throws {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value):
            text += try spelling == .report ? Decimal6.text(value) : ShortestDecimal.text(value)
        case .string(let value): Self.quote(value, isASCII: spelling.isASCII, to: &text)
        case .array(let items):
            text += "["
            for (index, item) in items.enumerated() {
                if index > 0 { text += "," }
                try item.write(to: &text, spelling)
            }
            text += "]"
        case .object(let members):
            text += "{"
            let ordered = spelling == .identity ? members.sorted { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) } : members
            for (index, member) in ordered.enumerated() {
                if index > 0 { text += "," }
                Self.quote(member.key, isASCII: spelling.isASCII, to: &text)
                text += ":"
                try member.value.write(to: &text, spelling)
            }
            text += "}"
        }
    }

    private static func quote(_ value: String, isASCII: Bool, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..<" ": text += escape(UInt16(scalar.value))
            default:
                if isASCII, scalar.value > 0x7E {
                    for unit in String(scalar).utf16 { text += escape(unit) }
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }

    private static func escape(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}

/// A double rounded to six decimals, half to even on its exact value, without trailing zeros, exponent or "-0".
enum Decimal6 {
    static func text(_ value: Double) throws -> String {
        guard value.isFinite else { throw JSONError(message: "\(value) is no number that JSON can carry") }
        // the C library rounds the exact value; the largest double has 309 digits before its point
        var buffer = [CChar](repeating: 0, count: 352)
        let length = withVaList([value]) { vsnprintf(&buffer, buffer.count, "%.6f", $0) }
        var text = String(decoding: buffer[..<Int(length)].map(UInt8.init(bitPattern:)), as: UTF8.self)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text == "-0" ? "0" : text
    }
}

/// A double as Python's `repr` writes it: the fewest digits that read back, a point or an exponent always.
enum ShortestDecimal {
    static func text(_ value: Double) throws -> String {
        guard value.isFinite else { throw JSONError(message: "\(value) is no number that JSON can carry") }
        let sign = value.sign == .minus ? "-" : ""
        if value == 0 { return sign + "0.0" }
        // Swift's description has the same digits; only where it switches to an exponent differs
        let parts = "\(value.magnitude)".split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        var digits = mantissa.joined()
        var exponent = (parts.count > 1 ? Int(parts[1])! : 0) + mantissa[0].count - 1
        while digits.hasPrefix("0") {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.hasSuffix("0") && digits.count > 1 { digits.removeLast() }
        return sign + layout(digits, exponent)
    }

    /// Places the point into `digits`, which stand for d.ddd times 10 to the `exponent`.
    private static func layout(_ digits: String, _ exponent: Int) -> String {
        if exponent < -4 || exponent >= 16 {
            let rest = digits.dropFirst()
            let size = String(exponent.magnitude)
            let padded = size.count < 2 ? "0" + size : size
            return "\(digits.first!)\(rest.isEmpty ? "" : "." + rest)e\(exponent < 0 ? "-" : "+")\(padded)"
        }
        if exponent < 0 { return "0." + String(repeating: "0", count: -exponent - 1) + digits }
        let whole = digits.prefix(exponent + 1) + String(repeating: "0", count: max(0, exponent + 1 - digits.count))
        let fraction = digits.dropFirst(exponent + 1)
        return "\(whole).\(fraction.isEmpty ? "0" : fraction)"
    }
}
