extension Manifest {
    /// One tensor at a border: -1 in the shape is the batch; one scale per channel, or one for all, or none.
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
            case nchw = "NCHW", nhwc = "NHWC", nc = "NC", n = "N"
        }

        public var name: String
        public var dtype: DType
        public var shape: [Int]
        public var layout: Layout
        public var scale: [Double]?
        public var zeroPoint: [Int]?

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
        }

        public var json: JSON {
            [
                "name": name.json, "dtype": dtype.json, "shape": shape.json, "layout": layout.json, "scale": scale.json,
                "zero_point": zeroPoint.json,
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

    /// From a photo to the head's input: resize, convert, scale to [0, 1], subtract mean, divide by std.
    public struct Preprocess: Record {
        public enum Resize: String, CaseIterable, JSONConvertible {
            case stretch, centerCrop = "center-crop"
        }

        public enum Interpolation: String, CaseIterable, JSONConvertible {
            case bilinear
        }

        public var channels: Int
        public var height: Int
        public var width: Int
        public var resize: Resize
        public var interpolation: Interpolation
        public var mean: [Double]
        public var std: [Double]

        public init(
            channels: Int, height: Int, width: Int, resize: Resize = .stretch, mean: [Double], std: [Double]
        ) {
            self.channels = channels
            self.height = height
            self.width = width
            self.resize = resize
            interpolation = .bilinear
            self.mean = mean
            self.std = std
        }

        public init(_ fields: Fields) throws {
            channels = try fields.value("channels", Read.integer)
            guard channels == 1 || channels == 3 else { throw fields.error("channels", "must be 1 or 3, is \(channels)") }
            height = try fields.value("height", Read.integer)
            width = try fields.value("width", Read.integer)
            resize = try fields.value("resize", otherwise: .stretch, Read.choice)
            interpolation = try fields.value("interpolation", otherwise: .bilinear, Read.choice)
            mean = try fields.list("mean", Read.number)
            std = try fields.list("std", Read.number)
        }

        public var json: JSON {
            [
                "channels": channels.json, "height": height.json, "width": width.json, "resize": resize.json,
                "interpolation": interpolation.json, "mean": mean.json, "std": std.json,
            ]
        }
    }

    /// The user's accuracy on the test images, shares in [0, 1].
    public struct Accuracy: Record {
        public var images: Int
        public var draws: Int
        public var unprotected: Double
        public var protected: Double

        public init(_ fields: Fields) throws {
            images = try fields.value("images", Read.integer)
            draws = try fields.value("draws", Read.integer)
            unprotected = try fields.value("unprotected", Read.number)
            protected = try fields.value("protected", Read.number)
        }

        public var json: JSON {
            [
                "images": images.json, "draws": draws.json, "unprotected": unprotected.json, "protected": protected.json,
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

    /// What is fused behind the head. `eps` is the second head input, standard normal, or nil.
    public struct Protection: Record {
        public var method: String
        public var settings: OrderedMap<Setting>
        public var seed: Int
        public var data: String?
        public var eps: TensorSpec?
        public var weights: FileRef
        public var trainsHead: Bool
        public var statistics: OrderedMap<Double>
        public var accuracy: Accuracy?
        public var wireUInt8: TensorSpec

        public init(_ fields: Fields) throws {
            method = try fields.value("method", Read.string)
            settings = try fields.value("settings", Read.map(Setting.read))
            seed = try fields.value("seed", Read.integer)
            data = try fields.optional("data", Read.string)
            eps = try fields.optional("eps", Read.record)
            weights = try fields.value("weights", Read.record)
            trainsHead = try fields.value("trains_head", Read.bool)
            statistics = try fields.value("statistics", Read.map(Read.number))
            accuracy = try fields.optional("accuracy", Read.record)
            wireUInt8 = try fields.value("wire_uint8", Read.record)
        }

        public var json: JSON {
            [
                "method": method.json, "settings": settings.json, "seed": seed.json, "data": data.json, "eps": eps.json,
                "weights": weights.json, "trains_head": trainsHead.json, "statistics": statistics.json,
                "accuracy": accuracy.json, "wire_uint8": wireUInt8.json,
            ]
        }
    }
}
