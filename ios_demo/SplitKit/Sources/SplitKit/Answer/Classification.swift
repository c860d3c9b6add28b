import Foundation

/// What the logits say, most likely first.
public struct Classification: Sendable, Equatable {
    public struct Choice: Sendable, Equatable, Identifiable {
        public let index: Int
        /// The class's name, or its number where the bundle has no labels.
        public let label: String
        /// In [0, 1]; all classes together are 1.
        public let probability: Float
        public var id: Int { index }
    }

    public let choices: [Choice]

    /// The `count` most likely classes of one row of logits.
    public init(logits: [Float], labels: [String], count: Int = 5) {
        let top = logits.max() ?? 0
        let weights = logits.map { exp(Double($0 - top)) }
        let total = weights.reduce(0, +)
        let order = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
        choices = order.prefix(count).map { index in
            Choice(
                index: index, label: index < labels.count ? labels[index] : "class \(index)",
                probability: Float(weights[index] / total))
        }
    }
}
