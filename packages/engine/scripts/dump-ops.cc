// Writes the definitions of every op in the linked TensorFlow (a serialized OpList) to standard output.
#include <cstdio>

#include "tensorflow/c/c_api.h"

int main() {
  TF_Buffer* ops = TF_GetAllOpList();
  std::fwrite(ops->data, 1, ops->length, stdout);
  TF_DeleteBuffer(ops);
}
