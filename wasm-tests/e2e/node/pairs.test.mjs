// The official Node SDKs of OpenAI and Anthropic against a running gateway, before providers of every API, which
// test_node_pairs.py started. In: TOLLGATE_E2E, JSON {url, key, providers}; a model is named after its provider. Out: TAP,
// and a line with the number of requests that were served whole.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

const { url, key, providers } = JSON.parse(process.env.TOLLGATE_E2E);
const question = 'How does a toll bridge know who has paid?';
const place = {
  type: 'object',
  properties: { place: { type: 'string' } },
  required: ['place'],
  additionalProperties: false,
};
let served = 0;
after(() => console.log(`served: ${served}`));

const common = (steering) => ({
  apiKey: key,
  maxRetries: 0,
  timeout: 45_000,
  defaultHeaders: steering ? { 'x-simulate': steering } : {},
});
const openai = (steering) => new OpenAI({ ...common(steering), baseURL: `${url}/v1` });
const anthropic = (steering) => new Anthropic({ ...common(steering), baseURL: url, authToken: null });

// What was said: {text, calls: [{id, name, input}], ending, tokens, back}. `back` is the turn as it goes back.
const chatSaid = (completion) => {
  const [choice] = completion.choices;
  return {
    text: choice.message.content ?? '',
    calls: (choice.message.tool_calls ?? []).map((call) => ({
      id: call.id, name: call.function.name, input: JSON.parse(call.function.arguments),
    })),
    ending: { stop: 'stop', tool_calls: 'calls', length: 'length' }[choice.finish_reason],
    tokens: completion.usage.completion_tokens,
    back: [choice.message],
  };
};
const responseSaid = (response) => {
  const calls = response.output.filter((item) => item.type === 'function_call');
  return {
    text: response.output_text,
    calls: calls.map((call) => ({ id: call.call_id, name: call.name, input: JSON.parse(call.arguments) })),
    ending: response.status === 'incomplete' ? 'length' : calls.length ? 'calls' : 'stop',
    tokens: response.usage.output_tokens,
    // What the SDK adds to an item, OpenAI's API does not take back.
    back: response.output.map(({ parsed_arguments: _, ...item }) => item),
  };
};
const messageSaid = (message) => ({
  text: message.content.filter((block) => block.type === 'text').map((block) => block.text).join(''),
  calls: message.content.filter((block) => block.type === 'tool_use'),
  ending: { end_turn: 'stop', tool_use: 'calls', max_tokens: 'length' }[message.stop_reason],
  tokens: message.usage.output_tokens,
  back: [{ role: 'assistant', content: message.content }],
});

// Each client's API: how it asks for an answer in one piece, by its SDK's helper for streams, and event by event.
const clients = {
  chat: {
    sdk: OpenAI,
    body: (model, turns, { tools, most }) => ({
      model,
      messages: turns,
      ...(most && { max_completion_tokens: most }),
      ...(tools && {
        tools: tools.map((name) => ({ type: 'function', function: { name, description: name, parameters: place } })),
      }),
    }),
    whole: async (body, steering) => chatSaid(await openai(steering).chat.completions.create(body)),
    helper: async (body, steering) => {
      const runner = openai(steering).chat.completions.stream({ ...body, stream_options: { include_usage: true } });
      let pieces = '';
      runner.on('content', (piece) => { pieces += piece; });
      const said = chatSaid(await runner.finalChatCompletion());
      assert.equal(pieces, said.text);
      return said;
    },
    events: async (body, steering) => {
      let text = '';
      for await (const chunk of await openai(steering).chat.completions.create({ ...body, stream: true })) {
        assert.equal(chunk.object, 'chat.completion.chunk');
        text += chunk.choices[0]?.delta.content ?? '';
      }
      return text;
    },
    results: (results) => results.map(([call, content]) => ({ role: 'tool', tool_call_id: call.id, content })),
  },
  responses: {
    sdk: OpenAI,
    body: (model, turns, { tools, most }) => ({
      model,
      input: turns,
      store: false,
      ...(most && { max_output_tokens: most }),
      ...(tools && {
        tools: tools.map((name) => ({ type: 'function', name, description: name, parameters: place, strict: true })),
      }),
    }),
    whole: async (body, steering) => responseSaid(await openai(steering).responses.create(body)),
    helper: async (body, steering) => {
      const runner = openai(steering).responses.stream(body);
      let pieces = '';
      runner.on('response.output_text.delta', (event) => { pieces += event.delta; });
      const said = responseSaid(await runner.finalResponse());
      assert.equal(pieces, said.text);
      return said;
    },
    events: async (body, steering) => {
      let [text, number] = ['', 0];
      for await (const event of await openai(steering).responses.create({ ...body, stream: true })) {
        assert.equal(event.sequence_number, number);
        number += 1;
        if (event.type === 'response.output_text.delta') text += event.delta;
        // An error is an event like others to this SDK.
        if (event.type === 'error' || event.type === 'response.failed') throw new OpenAI.OpenAIError('told');
      }
      return text;
    },
    results: (results) =>
      results.map(([call, output]) => ({ type: 'function_call_output', call_id: call.id, output })),
  },
  messages: {
    sdk: Anthropic,
    body: (model, turns, { tools, most }) => ({
      model,
      max_tokens: most ?? 500,
      messages: turns,
      ...(tools && { tools: tools.map((name) => ({ name, description: name, input_schema: place })) }),
    }),
    whole: async (body, steering) => messageSaid(await anthropic(steering).messages.create(body)),
    helper: async (body, steering) => {
      const runner = anthropic(steering).messages.stream(body);
      let pieces = '';
      runner.on('text', (piece) => { pieces += piece; });
      const said = messageSaid(await runner.finalMessage());
      assert.equal(pieces, said.text);
      return said;
    },
    events: async (body, steering) => {
      let text = '';
      for await (const event of await anthropic(steering).messages.create({ ...body, stream: true })) {
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') text += event.delta.text;
      }
      return text;
    },
    results: (results) => [{
      role: 'user',
      content: results.map(([call, content]) => ({ type: 'tool_result', tool_use_id: call.id, content })),
    }],
  },
};

for (const [name, client] of Object.entries(clients)) {
  for (const provider of providers) {
    const pair = `${name} → ${provider}`;
    const turns = [{ role: 'user', content: question }];
    const ask = async (how, steering, wishes = {}, said = turns) => {
      const answer = await client[how](client.body(provider, said, wishes), steering);
      served += 1;
      return answer;
    };

    test(`${pair}: a text is the same in one piece and in many`, async () => {
      const whole = await ask('whole', 'text=unicode');
      const streamed = await ask('helper', 'text=unicode,chunks=awkward');
      const events = await ask('events', 'text=unicode,chunks=bytes,crlf');
      assert.ok(whole.text && whole.tokens > 0);
      assert.deepEqual([whole.ending, streamed.ending], ['stop', 'stop']);
      assert.equal(streamed.text, whole.text);
      assert.equal(events, whole.text);
      assert.equal(streamed.tokens, whole.tokens);
    });

    test(`${pair}: an answer may be cut short`, async () => {
      for (const how of ['whole', 'helper']) {
        const said = await ask(how, 'tokens=200', { most: 20 });
        assert.deepEqual([said.ending, said.tokens], ['length', 20]);
      }
    });

    for (const how of ['whole', 'helper']) {
      test(`${pair}: tools are called and their results go back (${how})`, async () => {
        const tools = ['weather', 'clock'];
        const said = await ask(how, 'tools=2', { tools });
        assert.equal(said.ending, 'calls');
        assert.deepEqual(said.calls.map((call) => call.name), tools);
        assert.ok(said.calls.every((call) => call.id && typeof call.input === 'object'));
        const [one, other] = said.calls;
        const back = client.results([[one, 'rain'], [other, 'noon']]);
        const after = await ask(how, 'echo', { tools }, [...turns, ...said.back, ...back]);
        const meaning = JSON.parse(after.text);
        assert.deepEqual(meaning.tools.map((tool) => tool.name), tools);
        const parts = meaning.turns.flatMap((turn) => turn.parts);
        assert.deepEqual(parts.filter((part) => part.call).map((part) => part.call.arguments), [one.input, other.input]);
        const results = parts.filter((part) => part.result).map((part) => JSON.stringify(part.result.content));
        assert.equal(results.length, 2);
        assert.ok(results[0].includes('rain') && results[1].includes('noon'));
      });
    }

    test(`${pair}: errors are what the SDK calls them`, async () => {
      for (const [steering, raised] of [
        ['status=400', 'BadRequestError'], ['status=429,retry_after=3', 'RateLimitError'],
        ['status=503', 'InternalServerError'], ['context=2', 'BadRequestError'],
      ]) {
        for (const how of ['whole', 'events']) {
          await assert.rejects(ask(how, steering), (error) => {
            assert.ok(error instanceof client.sdk[raised], `${steering}: ${error?.constructor?.name}: ${error?.message}`);
            assert.ok(error.headers.get('x-tollgate-request-id'));
            if (steering.includes('retry')) assert.equal(error.headers.get('retry-after'), '3');
            return true;
          });
        }
      }
    });

    test(`${pair}: a stream that breaks is no answer`, async () => {
      for (const how of ['helper', 'events']) {
        for (const steering of ['tokens=60,error_after=5', 'tokens=60,cut_after=5']) {
          await assert.rejects(ask(how, steering), (error) => !(error instanceof assert.AssertionError));
        }
      }
    });
  }
}
