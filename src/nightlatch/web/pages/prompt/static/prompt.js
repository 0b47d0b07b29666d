// The code field: spaces and hyphens that come with a pasted code go at once. Nothing is sent by itself.

for (const field of document.querySelectorAll("input[inputmode=numeric]")) {
  field.addEventListener("input", () => {
    const bare = field.value.replace(/[\s\p{Pd}]/gu, "");
    if (bare !== field.value) field.value = bare;
  });
}
