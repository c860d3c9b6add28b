import Foundation
import SplitKit

/// A command line that cannot be carried out: one sentence.
struct UsageError: Error, LocalizedError {
    let message: String
    var errorDescription: String? { message }
}

/// What the command line said.
struct Arguments {
    static let help = """
        usage: splitkit-parity BUNDLE [options]

        Replays the bundle's golden rows and writes the report that `pripro verify --device-report` reads.

          --tail URL           also send the features to this tail and report its logits
          --token-file FILE    the tail's token
          --encoding TYPE      how features cross: float32 (default), float16, uint8
          --precision NAME     which Core ML and Core AI heads of the bundle, e.g. fp16; default: all
          --units NAME         processors that Core ML may use: all (default), cpu, cpu+gpu, cpu+ane
          --smashed FILE       no head runs here; take the features that another runtime made of the goldens
          --rows N             replay only the first N golden rows
          --out FILE           where the report goes; default: BUNDLE/reports/device-parity-TIME.json
        """

    let bundle: URL
    var tail: URL?
    var token: String?
    var encoding = Manifest.TensorSpec.DType.float32
    var precision: String?
    var units = "all"
    var smashed: URL?
    var rows: Int?
    var out: URL?

    init(_ words: [String]) throws {
        var rest = words[...]
        guard let first = rest.popFirst(), !first.hasPrefix("-") else {
            throw UsageError(message: "Name a bundle's folder first, as in: splitkit-parity build/demo")
        }
        bundle = URL(fileURLWithPath: first, isDirectory: true)
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else {
                throw UsageError(message: "\(option) needs a value; see splitkit-parity --help")
            }
            try take(option, value)
        }
    }

    private mutating func take(_ option: String, _ value: String) throws {
        switch option {
        case "--tail":
            guard let url = URL(string: value), url.host != nil else {
                throw UsageError(message: "\(value) is no address; a tail's looks like http://127.0.0.1:8080")
            }
            tail = url
        case "--token-file":
            guard let text = try? String(contentsOfFile: value, encoding: .utf8) else {
                throw UsageError(message: "\(value) cannot be read; name the file that holds the tail's token")
            }
            token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        case "--encoding":
            guard let dtype = Manifest.TensorSpec.DType(rawValue: value), dtype != .int8 else {
                throw UsageError(message: "There is no encoding \(value); choose float32, float16 or uint8")
            }
            encoding = dtype
        case "--precision": precision = value
        case "--units": units = value
        case "--smashed": smashed = URL(fileURLWithPath: value)
        case "--rows":
            guard let count = Int(value), count > 0 else { throw UsageError(message: "--rows takes a number above 0, not \(value)") }
            rows = count
        case "--out": out = URL(fileURLWithPath: value)
        default: throw UsageError(message: "There is no option \(option); see splitkit-parity --help")
        }
    }
}
