// What the types of the contract must not let through: each line below needs its error.
import createClient from 'openapi-fetch';

import type {paths} from './contract.js';

const client = createClient<paths>();

// @ts-expect-error a path of nobody's
void client.GET('/certification/v1/nothing');
// @ts-expect-error a segment is missing
void client.GET('/certification/v1/certificates/{certificate}', {params: {path: {}}});
// @ts-expect-error a query parameter that is none
void client.GET('/certification/v1/certificates', {params: {query: {size: 1}}});
// @ts-expect-error a required field is missing
void client.POST('/certification/v1/schemes', {body: {}});
// @ts-expect-error a number where a text belongs
void client.POST('/certification/v1/schemes', {body: {title: 1}});
// @ts-expect-error a body where none is taken
void client.GET('/certification/v1/schemes', {body: {title: 'x'}});
