extension Manifest {
    /// One tensor at a boundary: -1 in the shape is the batch; one scale per channel, or one for all, or none.
    public struct TensorSpec: Record {
        public enum DType: String, CaseIterable, JSONConvertible {
            case float32, float16, uint8, int8

            /// Bytes per value.
            public var size: Int {
                switch self {
                case .float32: 4
                case .float16: 2
                case .uint8, .int8: 1
                }
            }
        }

        public enum Layout: String, CaseIterable, JSONConvertible {
            case nchw = "NCHW", nhwc = "NHWC", ntc = "NTC", nc = "NC", n = "N"
        }

        public var name: String
        public var dtype: DType
        public var shape: [Int]
        public var layout: Layout
        public var scale: [Double]?
        public var zeroPoint: [Int]?
        /// NTC: [h, w] of the grid that the tokens lie on.
        public var grid: [Int]?
        /// NTC: class tokens in front of the grid.
        public var prefixTokens = 0

        public init(
            name: String, dtype: DType, shape: [Int], layout: Layout = .nchw, scale: [Double]? = nil, zeroPoint: [Int]? = nil
        ) {
            self.name = name
            self.dtype = dtype
            self.shape = shape
            self.layout = layout
            self.scale = scale
            self.zeroPoint = zeroPoint
        }

        public init(_ fields: Fields) throws {
            name = try fields.value("name", Read.string)
            dtype = try fields.value("dtype", Read.choice)
            shape = try fields.list("shape", Read.integer)
            layout = try fields.value("layout", otherwise: .nchw, Read.choice)
            scale = try fields.optional("scale", mayBeAbsent: true, Read.list(Read.number))
            zeroPoint = try fields.optional("zero_point", mayBeAbsent: true, Read.list(Read.integer))
            grid = try fields.optional("grid", mayBeAbsent: true, Read.list(Read.integer))
            guard grid.map({ $0.count == 2 }) ?? true else { throw fields.error("grid", "must be [h, w]") }
            prefixTokens = try fields.value("prefix_tokens", otherwise: 0, Read.integer(atLeast: 0))
        }

        public var json: JSON {
            [
                "name": name.json, "dtype": dtype.json, "shape": shape.json, "layout": layout.json, "scale": scale.json,
                "zero_point": zeroPoint.json, "grid": grid.json, "prefix_tokens": prefixTokens.json,
            ]
        }

        /// Values in one item of the batch.
        ///
        /// - Throws: `SchemaError` where a dimension is not positive or the product is beyond reason.
        public func itemCount() throws -> Int {
            var count = 1
            for size in shape.dropFirst() {
                let (product, overflow) = count.multipliedReportingOverflow(by: size)
                guard size > 0, !overflow, product <= 1 << 28 else {
                    throw SchemaError(path: name, message: "has the shape \(shape), which no tensor here has")
                }
                count = product
            }
            return count
        }
    }

    /// From a photo to the head's input: resize, convert, scale to [0, value_range], subtract mean, divide by std.
    public struct Preprocess: Record {
        public enum Resize: String, CaseIterable, JSONConvertible {
            case stretch, centerCrop = "center-crop", shorterSide = "shorter-side", pad
        }

        public enum Interpolation: String, CaseIterable, JSONConvertible {
            case bilinear, bicubic, nearest
        }

        public enum Order: String, CaseIterable, JSONConvertible {
            case rgb = "RGB", bgr = "BGR"
        }

        public var channels: Int
        public var height: Int
        public var width: Int
        public var resize: Resize
        public var shorterSide: Int?
        public var interpolation: Interpolation
        public var antialias: Bool
        public var order: Order
        public var valueRange: Int
        public var mean: [Double]
        public var std: [Double]

        public init(_ fields: Fields) throws {
            channels = try fields.value("channels", Read.integer)
            guard channels == 1 || channels == 3 else { throw fields.error("channels", "must be 1 or 3, is \(channels)") }
            height = try fields.value("height", Read.integer)
            width = try fields.value("width", Read.integer)
            resize = try fields.value("resize", otherwise: .stretch, Read.choice)
            shorterSide = try fields.optional("shorter_side", mayBeAbsent: true, Read.integer)
            interpolation = try fields.value("interpolation", otherwise: .bilinear, Read.choice)
            antialias = try fields.value("antialias", otherwise: true, Read.bool)
            order = try fields.value("order", otherwise: .rgb, Read.choice)
            valueRange = try fields.value("value_range", otherwise: 1, Read.integer)
            guard valueRange == 1 || valueRange == 255 else {
                throw fields.error("value_range", "must be 1 or 255, is \(valueRange)")
            }
            mean = try fields.list("mean", Read.number)
            std = try fields.list("std", Read.number)
        }

        public var json: JSON {
            [
                "channels": channels.json, "height": height.json, "width": width.json, "resize": resize.json,
                "shorter_side": shorterSide.json, "interpolation": interpolation.json, "antialias": antialias.json,
                "order": order.json, "value_range": valueRange.json, "mean": mean.json, "std": std.json,
            ]
        }
    }

    /// Photos, known by their content.
    public struct DataRef: Record {
        public var spec: String
        public var digest: String
        public var photos: Int

        public init(_ fields: Fields) throws {
            spec = try fields.value("spec", Read.string)
            digest = try fields.value("digest", Read.sha256)
            photos = try fields.value("photos", Read.integer(atLeast: 1))
        }

        public var json: JSON { ["spec": spec.json, "digest": digest.json, "photos": photos.json] }
    }

    /// What the user's network is for; `metric` is what "accuracy" means.
    public struct Task: Record {
        public var name: String
        public var metric: String
        public var guessed: Bool
        public var settings: OrderedMap<Double>

        static let classify = Task(name: "classify", metric: "top-1", guessed: true, settings: OrderedMap())

        init(name: String, metric: String, guessed: Bool, settings: OrderedMap<Double>) {
            (self.name, self.metric, self.guessed, self.settings) = (name, metric, guessed, settings)
        }

        public init(_ fields: Fields) throws {
            name = try fields.value("name", Read.string)
            metric = try fields.value("metric", Read.string)
            guessed = try fields.value("guessed", Read.bool)
            settings = try fields.value("settings", otherwise: OrderedMap(), Read.map(Read.number))
        }

        public var json: JSON {
            ["name": name.json, "metric": metric.json, "guessed": guessed.json, "settings": settings.json]
        }
    }

    /// The user's accuracy on the test images, shares in [0, 1].
    public struct Accuracy: Record {
        public var images: Int
        public var draws: Int
        public var unprotected: Double
        public var protected: Double
        public var metric: String
        /// False where the unprotected network's own answers are the truth.
        public var labelled: Bool

        public init(_ fields: Fields) throws {
            images = try fields.value("images", Read.integer)
            draws = try fields.value("draws", Read.integer)
            unprotected = try fields.value("unprotected", Read.number)
            protected = try fields.value("protected", Read.number)
            metric = try fields.value("metric", otherwise: "top-1", Read.string)
            labelled = try fields.value("labelled", otherwise: true, Read.bool)
        }

        public var json: JSON {
            [
                "images": images.json, "draws": draws.json, "unprotected": unprotected.json, "protected": protected.json,
                "metric": metric.json, "labelled": labelled.json,
            ]
        }
    }

    /// A setting of a protection: a number, a word, or nothing.
    public enum Setting: JSONConvertible {
        case number(Double)
        case text(String)
        case none

        static func read(_ value: JSON, _ path: String) throws -> Setting {
            switch value {
            case .null: .none
            case .string(let text): .text(text)
            default: .number(try Read.number(value, path))
            }
        }

        public var json: JSON {
            switch self {
            case .number(let value): .number(value)
            case .text(let value): .string(value)
            case .none: .null
            }
        }
    }
}
