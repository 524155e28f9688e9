/** The six words of a pairing, large and numbered, to be read aloud; and what nobody ever asks for. */

export function Words({ words }: { words: string }) {
  return (
    <>
      <ol class="spoken" aria-label="Your six words">
        {words.split(" ").map((word, at) => (
          <li key={at}>{word}</li>
        ))}
      </ol>
      <p>
        Read them aloud to the person who invited you, on a call that you began or face to face. That person types them;
        you type them nowhere.
      </p>
      <p class="box warning">
        Nobody ever asks you to type these words on a web page or in a chat. They are not a recovery phrase, and nobody
        ever asks for that either.
      </p>
    </>
  );
}
