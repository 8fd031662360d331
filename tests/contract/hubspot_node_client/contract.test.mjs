// HubSpot's own Node client against the simulator at SIMULATOR_URL; run by tests/contract/test_hubspot_node_client.py.

import assert from 'node:assert/strict'
import test from 'node:test'

import { Client } from '@hubspot/api-client'

const basePath = process.env.SIMULATOR_URL
const client = new Client({ accessToken: 'pat-simulated', basePath, numberOfApiCallRetries: 0 })
const { contacts, properties, owners, pipelines, associations, schemas } = client.crm

/** The simulator's own controls: what a person or an admin does. */
async function control(method, path, body) {
  const answer = await fetch(`${basePath}/_simulator${path}`, { method, body: JSON.stringify(body) })
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`)
}

const settings = (changes) => control('PUT', '/settings', changes)

async function contact(id, ...names) {
  return (await contacts.basicApi.getById(id, names)).properties
}

test('every property asked for is shown', async () => {
  const shown = await contact('1', 'email', 'jobtitle', 'seats')
  assert.equal(shown.email, 'person1@example.com')
  assert.equal(shown.jobtitle, 'Job 1')
  assert.equal(shown.seats, null)
})

for (const cursors of ['plain', 'opaque']) {
  test(`a crawl by ${cursors} cursors sees every record once`, async () => {
    await settings({ cursors })
    const found = []
    let after
    do {
      const page = await contacts.basicApi.getPage(5, after, ['email'])
      found.push(...page.results.map((record) => record.properties.email))
      after = page.paging?.next?.after
    } while (after !== undefined)
    assert.deepEqual(found, Array.from({ length: 12 }, (_, one) => `person${one + 1}@example.com`))
    assert.equal((await contacts.getAll(5)).length, 12)
    await settings({ cursors: 'plain' })
  })
}

test('a batch update writes the good rows and tells of the bad', async () => {
  const inputs = [
    { id: '1', properties: { seats: '7' } },
    { id: '2', properties: { seats: 'many' } },
  ]
  const answer = await contacts.batchApi.update({ inputs })
  assert.deepEqual(answer.results.map((record) => [record.id, record.properties.seats]), [['1', '7']])
  assert.equal(answer.numErrors, 1)
})

test('a property that exists is told by the sub-category of the refusal', async () => {
  const wanted = { name: 'plan', label: 'Plan', type: 'string', fieldType: 'text', groupName: 'contactinformation' }
  assert.equal((await properties.coreApi.create('contacts', wanted)).name, 'plan')
  await assert.rejects(properties.coreApi.create('contacts', wanted), (error) => {
    assert.equal(error.code, 409)
    assert.equal(error.body.subCategory, 'Properties.PROPERTY_WITH_NAME_EXISTS')
    return true
  })
})

test('an archived property is left out', async () => {
  await properties.coreApi.archive('contacts', 'plan')
  const shown = await contact('1', 'email', 'plan')
  assert.ok(!('plan' in shown))
  const archived = await properties.coreApi.getAll('contacts', true)
  assert.deepEqual(archived.results.map((one) => one.name), ['plan'])
})

test('a property that may not be read any more is left out', async () => {
  await settings({ unreadable: ['contacts.jobtitle'] })
  assert.ok(!('jobtitle' in (await contact('1', 'email', 'jobtitle'))))
  await settings({ unreadable: [] })
})

test('options kept elsewhere are not in the definition', async () => {
  const owner = await properties.coreApi.getByName('contacts', 'hubspot_owner_id')
  assert.equal(owner.externalOptions, true)
  assert.deepEqual(owner.options, [])
  assert.deepEqual((await owners.ownersApi.getPage()).results.map((one) => one.id), ['501', '502'])
  const [pipeline] = (await pipelines.pipelinesApi.getAll('deals')).results
  assert.equal(pipeline.stages.at(-1).id, 'closedlost')
})

test('a single checkbox may be an enumeration', async () => {
  await settings({ checkbox_type: 'enumeration' })
  const shown = await properties.coreApi.getByName('contacts', 'vip')
  assert.deepEqual([shown.type, shown.fieldType], ['enumeration', 'booleancheckbox'])
  assert.deepEqual(shown.options.map((option) => option.value), ['true', 'false'])
  await settings({ checkbox_type: 'bool' })
})

test('a stage set back is answered 200 with the former one', async () => {
  await contacts.basicApi.update('3', { properties: { lifecyclestage: 'customer' } })
  const answer = await contacts.basicApi.update('3', { properties: { lifecyclestage: 'lead' } })
  assert.equal(answer.properties.lifecyclestage, 'customer')
})

test('search finds a change only later', async () => {
  const filters = [{ propertyName: 'jobtitle', operator: 'EQ', value: 'Pilot' }]
  const query = { filterGroups: [{ filters }], properties: ['jobtitle'], limit: 10 }
  await settings({ search_lag_ms: 3_600_000 })
  await contacts.basicApi.update('4', { properties: { jobtitle: 'Pilot' } })
  assert.equal((await contacts.searchApi.doSearch(query)).total, 0)
  await settings({ search_lag_ms: 0 })
  assert.deepEqual((await contacts.searchApi.doSearch(query)).results.map((one) => one.id), ['4'])
})

test('associations are paged', async () => {
  const page = await associations.v4.basicApi.getPage('contacts', '1', 'companies', undefined, 3)
  const rest = await associations.v4.basicApi.getPage('contacts', '1', 'companies', page.paging.next.after)
  const ids = [...page.results, ...rest.results].map((one) => String(one.toObjectId))
  assert.deepEqual(ids, ['101', '102', '103', '104'])
})

test("the account's own types are told", async () => {
  const [schema] = (await schemas.coreApi.getAll()).results
  assert.deepEqual([schema.objectTypeId, schema.name], ['2-77', 'workspace'])
})

test('a wrong token is refused', async () => {
  const wrong = new Client({ accessToken: 'pat-wrong', basePath, numberOfApiCallRetries: 0 })
  await assert.rejects(wrong.crm.contacts.basicApi.getById('1'), (error) => error.code === 401)
})
