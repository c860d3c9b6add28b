import Foundation

/// Something that answers golden rows with smashed features.
public protocol ParityHead {
    var target: String { get }
    var precision: String { get }
    var backend: String { get }
    var runtime: String { get }
    func smashed(for row: GoldenRows.Row) throws -> [Float]
}

/// A converted head of the bundle on this device's runtime.
public struct RunningHead: ParityHead {
    private let head: Manifest.Head
    private let runner: any HeadRunner

    public init(_ head: Manifest.Head, runner: any HeadRunner) {
        self.head = head
        self.runner = runner
    }

    public var target: String { head.target }
    public var precision: String { head.precision }
    public var backend: String { head.backend }
    public var runtime: String { runner.runtime }

    public func smashed(for row: GoldenRows.Row) throws -> [Float] {
        try runner.smashed(image: row.image, eps: row.eps)
    }
}

/// Features that another runtime made of the golden rows: a .safetensors file with `smashed` [n,C,h,w], float32, and
/// `bundle_id`, `target`, `precision`, `backend` and `runtime` in its metadata.
public struct RecordedHead: ParityHead {
    public let target: String
    public let precision: String
    public let backend: String
    public let runtime: String
    private let rows: [[Float]]

    /// - Throws: `BundleError`: unreadable, of another bundle, or of another shape.
    public init(_ url: URL, manifest: Manifest) throws {
        let content = try Safetensors.read(url)
        func said(_ key: String) throws -> String {
            guard let text = content.metadata[key] else {
                throw BundleError("\(url.lastPathComponent) does not say its \(key); write it into the file's __metadata__.")
            }
            return text
        }
        guard try said("bundle_id") == manifest.bundleID else {
            throw BundleError("\(url.lastPathComponent) was made with another bundle; run the head of this one.")
        }
        (target, precision) = (try said("target"), try said("precision"))
        (backend, runtime) = (try said("backend"), try said("runtime"))
        let smashed = try manifest.smashed()
        let size = try smashed.itemCount()
        guard let tensor = content.tensors["smashed"], let floats = tensor.floats, let count = tensor.shape.first,
            tensor.shape.dropFirst() == smashed.shape.dropFirst()
        else {
            throw BundleError("\(url.lastPathComponent) holds no smashed features of this bundle's shape; run its head on the goldens.")
        }
        rows = (0..<count).map { Array(floats[($0 * size)..<(($0 + 1) * size)]) }
    }

    public func smashed(for row: GoldenRows.Row) throws -> [Float] {
        guard row.index < rows.count else {
            throw BundleError("The recorded features end before golden row \(row.index); run the head on all goldens.")
        }
        return rows[row.index]
    }
}

/// Replays a bundle's golden rows on a head, with the noise of each row, and asks the tail where there is one.
public enum ParityReplay {
    /// How one row compares with what eager torch answered, for people; `pripro verify` gives the verdict.
    public struct Comparison: Sendable {
        public let index: Int
        /// Largest difference of a smashed feature.
        public let smashedMaxAbs: Float
        /// Largest difference of a logit; nil without a tail.
        public let logitsMaxAbs: Float?
        /// Whether the most likely class is the same; nil without a tail, and where the task is not to classify.
        public let sameTop1: Bool?
    }

    /// Runs all rows in order.
    ///
    /// - Parameters:
    ///   - rows: the bundle's golden rows, or the first of them.
    ///   - head: what answers them with features.
    ///   - tail: what answers the features, float32 where it can be; nil to compare features alone.
    ///   - isClassifying: whether the most likely class says anything, by the bundle's task.
    ///   - isolation: the actor that calls.
    ///   - each: called after each row.
    /// - Throws: what the head or the tail throws; a row that has no answer is never left out silently.
    public static func outputs(
        of rows: [GoldenRows.Row], head: any ParityHead, tail: TailClient?, isClassifying: Bool = true,
        isolation: isolated (any Actor)? = #isolation, each: (Comparison) -> Void = { _ in }
    ) async throws -> [DeviceParityReport.Output] {
        var outputs: [DeviceParityReport.Output] = []
        for row in rows {
            try Task.checkCancellation()
            let smashed = try head.smashed(for: row)
            guard smashed.count == row.smashed.count else {
                throw BundleError("The head gave \(smashed.count) features for row \(row.index), expected \(row.smashed.count); convert it anew.")
            }
            let logits = try await tail?.logits(for: smashed).logits[0]
            if let logits, logits.count != row.logits.count {
                throw TailError.badAnswer("\(logits.count) logits came, expected \(row.logits.count).")
            }
            outputs.append(DeviceParityReport.Output(row: row, head: head, smashed: smashed, logits: logits))
            each(
                Comparison(
                    index: row.index, smashedMaxAbs: difference(smashed, row.smashed),
                    logitsMaxAbs: logits.map { difference($0, row.logits) },
                    sameTop1: isClassifying ? logits.map { top($0) == top(row.logits) } : nil))
        }
        return outputs
    }

    private static func difference(_ a: [Float], _ b: [Float]) -> Float {
        zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    private static func top(_ logits: [Float]) -> Int? {
        logits.indices.max { (logits[$0], $1) < (logits[$1], $0) }
    }
}
