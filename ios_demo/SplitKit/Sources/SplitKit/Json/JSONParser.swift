import Foundation

/// Why a text is not JSON.
public struct JSONError: Error, Equatable {
    public let message: String
}

/// Strict RFC 8259: UTF-8, no comments, no trailing commas, no duplicate keys, no NaN, at most 64 levels.
///
/// Foundation's parsers read `1` and `1.0` as the same number and let the last of two equal keys win silently;
/// a manifest that two readers can understand differently must be refused instead.
struct JSONParser {
    private static let maximumDepth = 64
    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    /// Parses a whole document.
    static func parse(_ data: Data) throws -> JSON {
        guard String(data: data, encoding: .utf8) != nil else { throw JSONError(message: "it is not UTF-8") }
        var parser = JSONParser(bytes: [UInt8](data))
        let value = try parser.value()
        parser.skipSpace()
        guard parser.index == parser.bytes.count else { throw parser.error("more text after its end") }
        return value
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func error(_ what: String) -> JSONError {
        JSONError(message: "\(what) at byte \(index)")
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    private mutating func take(_ character: Character) -> Bool {
        guard let byte = next, byte == character.asciiValue else { return false }
        index += 1
        return true
    }

    private mutating func word(_ text: String, _ value: JSON) throws -> JSON {
        guard bytes[index...].starts(with: text.utf8) else { throw error("an unknown word") }
        index += text.utf8.count
        return value
    }

    private mutating func value() throws -> JSON {
        skipSpace()
        switch next.map({ Character(UnicodeScalar($0)) }) {
        case "{": return try nested { try $0.object() }
        case "[": return try nested { try $0.array() }
        case "\"": return .string(try string())
        case "t": return try word("true", .bool(true))
        case "f": return try word("false", .bool(false))
        case "n": return try word("null", .null)
        case nil: throw error("it ends too early")
        default: return try number()
        }
    }

    private mutating func nested(_ read: (inout JSONParser) throws -> JSON) throws -> JSON {
        depth += 1
        guard depth <= Self.maximumDepth else { throw error("more than \(Self.maximumDepth) levels") }
        defer { depth -= 1 }
        index += 1
        return try read(&self)
    }

    private mutating func object() throws -> JSON {
        var members: [JSON.Member] = []
        var seen: Set<String> = []
        skipSpace()
        if take("}") { return .object([]) }
        repeat {
            skipSpace()
            let key = try string()
            guard seen.insert(key).inserted else { throw error("the key \"\(key)\" twice") }
            skipSpace()
            guard take(":") else { throw error("no colon after a key") }
            members.append(JSON.Member(key, try value()))
            skipSpace()
        } while take(",")
        guard take("}") else { throw error("an object without its end") }
        return .object(members)
    }

    private mutating func array() throws -> JSON {
        var items: [JSON] = []
        skipSpace()
        if take("]") { return .array([]) }
        repeat {
            items.append(try value())
            skipSpace()
        } while take(",")
        guard take("]") else { throw error("a list without its end") }
        return .array(items)
    }

    private mutating func string() throws -> String {
        guard take("\"") else { throw error("no string") }
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case 0x22: return String(decoding: text, as: UTF8.self)
            case 0x5C: text.append(contentsOf: try escape().utf8)
            case 0x00..<0x20: throw error("a control character in a string")
            default: text.append(byte)
            }
        }
        throw error("a string without its end")
    }

    private mutating func escape() throws -> String {
        guard let byte = next else { throw error("a string without its end") }
        index += 1
        switch Character(UnicodeScalar(byte)) {
        case "\"": return "\""
        case "\\": return "\\"
        case "/": return "/"
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u": return String(Character(try scalar()))
        default: throw error("an unknown escape")
        }
    }

    private mutating func scalar() throws -> UnicodeScalar {
        let first = try hexadecimal()
        if let scalar = UnicodeScalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), take("\\"), take("u") else { throw error("half a surrogate pair") }
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second) else { throw error("half a surrogate pair") }
        let code = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
        guard let scalar = UnicodeScalar(code) else { throw error("half a surrogate pair") }
        return scalar
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard index + 4 <= bytes.count,
            bytes[index..<index + 4].allSatisfy({ UnicodeScalar($0).properties.isASCIIHexDigit }),
            let code = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
        else { throw error("no four hexadecimal digits") }
        index += 4
        return code
    }

    private mutating func digits() -> Int {
        let start = index
        while let byte = next, (0x30...0x39).contains(byte) { index += 1 }
        return index - start
    }

    private mutating func number() throws -> JSON {
        let start = index
        _ = take("-")
        let zero = next == 0x30
        let whole = digits()
        guard whole > 0, !(zero && whole > 1) else { throw error("no number") }
        var isInteger = true
        if take(".") {
            isInteger = false
            guard digits() > 0 else { throw error("no number") }
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            guard digits() > 0 else { throw error("no number") }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let integer = Int(text) { return .integer(integer) }
        guard let double = Double(text), double.isFinite else { throw error("a number out of range") }
        return .number(double)
    }
}
