// pte_run MODEL OUT IN SHAPE [IN SHAPE]...
//
// Executes forward() of a .pte once: each IN is raw little-endian float32 of SHAPE, such as 1x3x224x224, in the order
// of forward's inputs. Writes the first output's raw float32 to OUT and prints its shape. Prints no time: this runs
// under emulation, where a time means nothing.
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

using executorch::aten::ScalarType;
using executorch::aten::SizesType;
using executorch::extension::Module;
using executorch::extension::TensorPtr;
using executorch::runtime::EValue;

namespace {

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(2);
}

std::vector<SizesType> parse_shape(const std::string& text) {
  std::vector<SizesType> shape;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('x', at), text.size());
    const long size = std::strtol(text.substr(at, end - at).c_str(), nullptr, 10);
    if (size < 1 || size > 1 << 20) fail("the shape " + text + " does not fit");
    shape.push_back(static_cast<SizesType>(size));
    at = end + 1;
  }
  return shape;
}

std::vector<float> read_floats(const char* path, const std::vector<SizesType>& shape) {
  size_t count = 1;
  for (const auto size : shape) count *= size;
  std::vector<float> values(count);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(float)));
  if (!file || file.peek() != EOF) fail(std::string(path) + " does not hold as many float32 as its shape says");
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--version") return std::puts("pte_run 1") < 0;
  if (argc < 5 || argc % 2 == 0) fail("usage: pte_run MODEL OUT IN SHAPE [IN SHAPE]...");
  std::vector<std::vector<float>> data;
  std::vector<TensorPtr> tensors;
  std::vector<EValue> inputs;
  for (int i = 3; i < argc; i += 2) {
    const auto shape = parse_shape(argv[i + 1]);
    data.push_back(read_floats(argv[i], shape));
    tensors.push_back(executorch::extension::from_blob(data.back().data(), shape));
    inputs.emplace_back(*tensors.back());
  }
  Module module(argv[1]);
  const auto result = module.forward(inputs);
  if (!result.ok()) fail("forward failed with ExecuTorch error " + std::to_string(static_cast<int>(result.error())));
  const auto output = result->at(0).toTensor();
  if (output.scalar_type() != ScalarType::Float) fail("the output is not float32");
  std::ofstream file(argv[2], std::ios::binary);
  file.write(reinterpret_cast<const char*>(output.const_data_ptr<float>()), static_cast<std::streamsize>(output.nbytes()));
  if (!file.flush()) fail(std::string(argv[2]) + " cannot be written");
  for (ssize_t i = 0; i < output.dim(); ++i) std::printf("%s%d", i ? "x" : "", static_cast<int>(output.size(i)));
  std::printf("\n");
}
