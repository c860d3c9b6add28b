import Foundation

/// What a person reads of an answer, by the bundle's task (toolkit/tasks has the same names). tests/contract/answers holds what each
/// of them makes of an answer in Python; splitkit for Android reads the same.
public enum Reading: Sendable, Equatable {
    /// classify: the most probable classes, best first.
    case classes(Classification)
    /// multilabel: every label whose value is above the task's threshold, largest first.
    case labels([Present], of: Int)
    /// embed: a point of unit length; near points are the same.
    case embedding([Float])
    /// segment: the class of each pixel.
    case segments(Segments)
    /// heatmaps: where each map [height,width] has its peak.
    case peaks([Peak], height: Int, width: Int)
    /// regress, any: the numbers themselves, output by output.
    case numbers([Output])

    /// A label that is there.
    public struct Present: Sendable, Equatable {
        public let index: Int
        public let label: String
        public let value: Float
    }

    /// Where a map is largest.
    public struct Peak: Sendable, Equatable {
        public let index: Int
        public let label: String
        public let row: Int
        public let column: Int
        public let value: Float
    }

    /// Reads the network's outputs as the manifest's task says; a task that this version does not know gives `numbers`.
    public init(_ outputs: [Output], task: Manifest.Task, labels: [String]) {
        guard let first = outputs.first else {
            self = .numbers([])
            return
        }
        let (values, isMap) = (first.values, first.shape.count == 3)
        let threshold = Float(task.settings["threshold"] ?? 0)
        switch task.name {
        case "classify": self = .classes(Classification(logits: values, labels: labels))
        case "multilabel":
            let order = values.indices.filter { values[$0] > threshold }.sorted { (values[$0], $1) > (values[$1], $0) }
            self = .labels(order.map { Present(index: $0, label: Self.label(labels, $0), value: values[$0]) }, of: values.count)
        case "embed": self = .embedding(Self.unit(values))
        case "segment" where isMap: self = .segments(Segments(first, threshold: threshold, labels: labels))
        case "heatmaps" where isMap:
            let (height, width) = (first.shape[1], first.shape[2])
            let peaks = (0..<first.shape[0]).map { map in
                let at = Self.largest(height * width) { values[map * height * width + $0] }
                return Peak(
                    index: map, label: Self.label(labels, map), row: at / width, column: at % width,
                    value: values[map * height * width + at])
            }
            self = .peaks(peaks, height: height, width: width)
        default: self = .numbers(outputs)
        }
    }

    /// The first is the shortest summary; a screen shows all of them, one below the other.
    public var lines: [String] {
        switch self {
        case .classes(let found): found.choices.map { String(format: "%5.1f %%  ", $0.probability * 100) + $0.label }
        case .labels(let present, let all):
            present.isEmpty ? ["none of \(all) labels"] : present.map { String(format: "%8.3f  ", $0.value) + $0.label }
        case .embedding(let unit): ["a point in \(unit.count) dimensions"]
        case .segments(let found): found.shares.map { String(format: "%5.1f %%  ", $0.share * 100) + $0.label }
        case .peaks(let points, let height, let width):
            points.map { "row \($0.row), column \($0.column) of \(height) x \(width)  \($0.label)" }
        case .numbers(let outputs):
            outputs.map { output in
                let shape = output.shape.map(String.init).joined(separator: ", ")
                func text(_ value: Float?) -> String { String(format: "%.4g", value ?? 0) }
                let few = output.values.count <= 8
                let numbers =
                    few ? output.values.map(text).joined(separator: ", ") : "\(text(output.values.min())) to \(text(output.values.max()))"
                return "\(output.spec.name) [\(shape)]: \(numbers)"
            }
        }
    }

    /// Of two embeddings, the cosine of their points, -1 to 1; nil for anything else.
    public func cosine(_ other: Reading) -> Double? {
        guard case .embedding(let mine) = self, case .embedding(let theirs) = other, mine.count == theirs.count else { return nil }
        return zip(mine, theirs).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    static func label(_ labels: [String], _ index: Int) -> String { index < labels.count ? labels[index] : "class \(index)" }

    /// The index with the largest value, of equal ones the first.
    static func largest(_ count: Int, _ value: (Int) -> Float) -> Int {
        (1..<max(count, 1)).reduce(0) { value($1) > value($0) ? $1 : $0 }
    }

    private static func unit(_ values: [Float]) -> [Float] {
        let length = max(values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot(), 1e-12)
        return values.map { Float(Double($0) / length) }
    }
}
